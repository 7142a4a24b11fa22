"""Settings as the fields of a dataclass: how they are declared, and parsed from environment variables.

`Config` and every storage backend are declared with it. A field's name in capitals is the environment variable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields
from typing import Any, TypeVar

T = TypeVar("T")


def setting(theme: str, default: str, parse: Callable[[str], Any], help: str, *, secret: bool = False) -> Any:
    """Declare a setting. `secret`: kept out of the repr and of errors."""
    meta = {"theme": theme, "default": default, "parse": parse, "help": help, "secret": secret}
    return field(repr=not secret, metadata=meta)


def declared(cls: Any) -> dict[str, Mapping[str, Any]]:
    """The metadata of the settings that a dataclass declares, by their field."""
    return {item.name: item.metadata for item in fields(cls) if "theme" in item.metadata}


def read(cls: Any, env: Mapping[str, str], errors: list[str], known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Parse the settings that `cls` declares from `env`; one that is missing or empty has its default.

    Appends a line to `errors` for every invalid one. `{ferry_data}` in a value is that setting, of `cls` or `known`.
    """
    values = dict(known or {})
    types = {item.name: str(item.type) for item in fields(cls)}
    for name, meta in declared(cls).items():
        text = env.get(name.upper(), "").strip() or meta["default"]
        text = text.replace("{ferry_data}", str(values.get("ferry_data", "")))
        try:
            values[name] = meta["parse"](text) if text else _empty(types[name])
        except ValueError as error:
            values[name] = ""
            errors.append(f"{name.upper()}={'(hidden)' if meta['secret'] or '@' in text else text}: {error}")
    return {name: values[name] for name in declared(cls)}


def parse(cls: Callable[..., T], env: Mapping[str, str], errors: list[str], known: Mapping[str, Any]) -> T | None:
    """Create a `cls` of the settings that `read` returns. A ValueError of its own is one of the `errors`."""
    try:
        return cls(**read(cls, env, errors, known))
    except ValueError as error:
        errors.append(str(error))
        return None


def _empty(annotation: str) -> Any:
    """The value of a setting without a text: None or () where the field's type has it, else an empty text."""
    return None if annotation.endswith("| None") else () if annotation.startswith("tuple") else ""
