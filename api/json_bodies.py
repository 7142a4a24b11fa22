"""JSON request bodies: bounded in size, validated strictly."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from flask import Request
from msgspec.inspect import Field, ListType, StructType, type_info

from api.expectations import expected, value_type
from auth.transfer_slots import body_slot
from problems import BadRequest, InvalidBody, TooLarge, UnsupportedMediaType
from server.body import iter_body

S = TypeVar("S", bound=msgspec.Struct)

_MAX_BYTES = 64 << 10
_PLACE = re.compile(r" - at `\$\.(\w+)(?:\[(\d+)\])?`$")
"""The end of msgspec's message: a field, or an item of its list."""


def read_json(request: Request, shape: type[S]) -> S:
    """The body as a `shape`.

    Raises UnsupportedMediaType, TooLarge, IncompleteBody, TooManyUploads, BadRequest, InvalidBody.
    Takes one of the client's transfer slots while it reads: a body may arrive as slowly as an upload.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send the body as application/json.")
    with body_slot():
        body = _read_bytes(request)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error
    return parse_body(value, shape)


def parse_body(value: Any, shape: type[S]) -> S:
    """A parsed JSON value as a `shape`, whose fields are strings, numbers or lists of them.

    Raises InvalidBody with a pointer to what is wrong.
    """
    fields = _fields(shape)
    if not isinstance(value, dict):
        raise InvalidBody(f"The body must be an object with {', '.join(fields)}.", pointer="")
    for name in value:
        if name not in fields:
            raise InvalidBody("Unknown member.", pointer=pointer(name))
    try:
        # A missing member is reported like null: with its name.
        return msgspec.convert({name: None for name, field in fields.items() if field.required} | value, shape)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), fields) from error


def pointer(*steps: str | int) -> str:
    """The JSON Pointer (RFC 6901 §3) of these steps."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


@cache
def _fields(shape: type[msgspec.Struct]) -> dict[str, Field]:
    return {field.encode_name: field for field in cast(StructType, type_info(shape)).fields}


def _invalid(message: str, fields: dict[str, Field]) -> InvalidBody:
    """The error for msgspec's `message`, which names the place at its end: "… - at `$.ids[1]`"."""
    [(name, index)] = _PLACE.findall(message)
    kind, where = fields[name].type, pointer(name)
    if index:
        kind, where = cast(ListType, value_type(kind)).item_type, pointer(name, int(index))
    return InvalidBody(f"{where[1:]} must be {expected(kind)}.", pointer=where)


def _read_bytes(request: Request) -> bytes:
    too_large = TooLarge(f"The body is limited to {_MAX_BYTES} bytes.", max_bytes=_MAX_BYTES)
    if (request.content_length or 0) > _MAX_BYTES:
        raise too_large
    body = b""
    for chunk in iter_body(request):
        body += chunk
        if len(body) > _MAX_BYTES:
            raise too_large
    return body
