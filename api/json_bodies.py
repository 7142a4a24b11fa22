"""Bodies of JSON, read no further than they may be long, and taken only as exactly what they should be."""

from __future__ import annotations

import json
from typing import Any

from flask import Request

from auth.transfer_slots import body_slot
from problems import BadRequest, InvalidBody, TooLarge, UnsupportedMediaType
from server.body import iter_body

_LONGEST = 64 << 10
_MOST_IDS = 100


def read_json(request: Request) -> Any:
    """The body's JSON. Raises UnsupportedMediaType, TooLarge, BadRequest, IncompleteBody, TooManyUploads.

    It holds one of the caller's slots while it comes in, like an upload: it may be as slow as one.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send JSON, as application/json.")
    with body_slot():
        body = _bounded(request)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error


def parse_ids(body: Any) -> list[str]:
    """The ids in `{"ids": [1 to 100 strings]}`, each once, in their order. Raises InvalidBody for all else."""
    if not isinstance(body, dict):
        raise InvalidBody('The body is {"ids": […]}.', pointer="")
    for name in body:
        if name != "ids":
            raise InvalidBody("There is no such member.", pointer=pointer(name))
    ids = body.get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= _MOST_IDS:
        raise InvalidBody(f"ids is a list of 1 to {_MOST_IDS} strings.", pointer="/ids")
    for number, id in enumerate(ids):
        if not isinstance(id, str):
            raise InvalidBody("An id is a string.", pointer=pointer("ids", number))
    return list(dict.fromkeys(ids))


def pointer(*steps: str | int) -> str:
    """The JSON Pointer (RFC 6901 §3) that leads there by these steps."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _bounded(request: Request) -> bytes:
    too_large = TooLarge(f"The body may have {_LONGEST} bytes.", max_bytes=_LONGEST)
    if (request.content_length or 0) > _LONGEST:
        raise too_large
    body = b""
    for piece in iter_body(request):
        body += piece
        if len(body) > _LONGEST:
            raise too_large
    return body
