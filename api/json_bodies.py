"""JSON request bodies: bounded in size, validated strictly."""

from __future__ import annotations

import json
from typing import Any

from flask import Request

from api.limits import MAX_IDS
from auth.transfer_slots import body_slot
from problems import BadRequest, InvalidBody, TooLarge, UnsupportedMediaType
from server.body import iter_body

_MAX_BYTES = 64 << 10


def read_json(request: Request) -> Any:
    """The parsed body. Raises UnsupportedMediaType, TooLarge, BadRequest, IncompleteBody, TooManyUploads.

    Takes one of the client's transfer slots while it reads: a body may arrive as slowly as an upload.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send the body as application/json.")
    with body_slot():
        body = _read_bytes(request)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error


def parse_ids(body: Any) -> list[str]:
    """The ids of `{"ids": [1 to MAX_IDS strings]}` without duplicates, in order. Raises InvalidBody."""
    if not isinstance(body, dict):
        raise InvalidBody('The body must be {"ids": […]}.', pointer="")
    for name in body:
        if name != "ids":
            raise InvalidBody("Unknown member.", pointer=pointer(name))
    ids = body.get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_IDS:
        raise InvalidBody(f"ids must be a list of 1 to {MAX_IDS} strings.", pointer="/ids")
    for number, id in enumerate(ids):
        if not isinstance(id, str):
            raise InvalidBody("An id must be a string.", pointer=pointer("ids", number))
    return list(dict.fromkeys(ids))


def pointer(*steps: str | int) -> str:
    """The JSON Pointer (RFC 6901 §3) of these steps."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


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
