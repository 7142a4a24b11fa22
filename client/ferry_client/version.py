"""Package version: read by `ferry --version`, the User-Agent header and pyproject.toml."""

__version__ = "0.1.0"
