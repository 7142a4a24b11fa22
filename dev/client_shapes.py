"""Print the client's dataclasses: `python -m dev.client_shapes > client/ferry_client/shapes.py`.

They are generated from api/schemas.py, because the client is installed without Ferry.
"""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, cast, get_args

from msgspec.inspect import EnumType, Field, IntType, LiteralType, Metadata, StructType, type_info

from api.expectations import value_type
from api.schemas import File, Link
from file import Mode
from models import UploadStatus

_REQUIRED = {File: ("id", "name", "status", "mode"), Link: ("url", "expires_at")}
"""The fields that every version of Ferry sends. The others are None if they are missing."""

_HEAD = '''"""The objects in Ferry's answers. Generated from the server's api/schemas.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ferry_client.json_object import JsonObject
'''


def page() -> str:
    """Return the module's source."""
    literals = f"\nMode = {_literal(get_args(Mode))}\nStatus = {_literal(UploadStatus)}\n"
    return _HEAD + literals + "".join(_class(shape, required) for shape, required in _REQUIRED.items())


def _literal(values: Iterable[str]) -> str:
    return f"Literal[{', '.join(json.dumps(value) for value in values)}]"


def _class(shape: type[Any], required: tuple[str, ...]) -> str:
    fields = cast(StructType, type_info(shape)).fields
    lines = [line for field in fields for line in _lines(field, field.name in required)]
    head = f'\n\n@dataclass(frozen=True)\nclass {shape.__name__}(JsonObject):\n    """{inspect.getdoc(shape)}"""\n\n'
    return head + textwrap.indent("\n".join(lines), "    ") + "\n"


def _lines(field: Field, required: bool) -> Iterator[str]:
    schema = field.type.extra_json_schema if isinstance(field.type, Metadata) else {}
    kind = _annotation(field)
    if kind.startswith("Mapping"):
        yield f"{field.name}: {kind} = field(default_factory=dict, hash=False)"
    else:
        yield f"{field.name}: {kind}" if required else f"{field.name}: {kind} | None = None"
    yield from textwrap.wrap(f'"""{(schema or {})["description"]}"""', 114)


def _annotation(field: Field) -> str:
    match value_type(field.type):
        case StructType():
            return "Mapping[str, str]"
        case IntType():
            return "int"
        case LiteralType():
            return "Mode"
        case EnumType():
            return "Status"
    return "datetime" if "date-time" in repr(field.type) else "str"


if __name__ == "__main__":
    print(page(), end="")
