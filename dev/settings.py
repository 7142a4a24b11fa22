"""Write what config.py says into README's table of settings and into .env.example. `python -m dev.settings`."""

from __future__ import annotations

import re
from dataclasses import fields

from config import Config
from dev.parts import ROOT

_TABLE = re.compile(r"(?<=\| setting \| default \| what it is \|\n\|---\|---\|---\|\n)(\|.*\n)+")


def table() -> str:
    """The rows of README's table."""
    settings = ((item.name.upper(), item.metadata) for item in fields(Config))
    cells = ((name, f"`{meta['default']}`" if meta["default"] else "", meta["help"]) for name, meta in settings)
    return "".join(f"| `{name}` | {default} | {help} |\n" for name, default, help in cells)


def example() -> str:
    """The part of .env.example that follows from the settings."""
    return "".join(
        f"\n# {item.metadata['help']}\n#{item.name.upper()}={item.metadata['default']}\n" for item in fields(Config)
    )


def main() -> None:
    """Write both."""
    readme = ROOT / "README.md"
    readme.write_text(_TABLE.sub(lambda _: table(), readme.read_text()))
    env = ROOT / ".env.example"
    head, _, _ = env.read_text().partition(f"\n# {fields(Config)[0].metadata['help']}\n")
    env.write_text(head + example())


if __name__ == "__main__":
    main()
