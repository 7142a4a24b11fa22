"""The version of this package, for `ferry --version`, for User-Agent and for pyproject.toml."""

__version__ = "0.1.0"
