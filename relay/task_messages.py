"""What a message of the queue must look like. Pure rules: kombu and Celery end a worker over many that do not.

A message that Celery can't take is put back when the worker ends, and would end the next one too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from content.filenames import ID

_FARTHEST = timedelta(days=1)
"""How far ahead a task may be due: a retry is, by the length of a lease."""


def is_task(message: bytes) -> bool:
    """Whether this is a task as Ferry queues it: known, with its own arguments, and nothing that Celery can't take."""
    found = _decoded(message)
    return isinstance(found, dict) and _is_message(found)


def is_unacknowledged(entry: bytes) -> bool:
    """Whether this is what kombu keeps of a task that was taken: the message, its exchange and its queue."""
    match _decoded(entry):
        case [dict(message), str(), str()]:
            return _is_message(message)
    return False


def _decoded(text: bytes | str) -> object:
    """The JSON of `text`, None where it is malformed. Half a surrogate pair can be read, and not written again."""
    try:
        raw = text.encode() if isinstance(text, str) else text
        return None if b"\\ud" in raw.lower() else json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _is_message(message: dict[str, Any]) -> bool:
    headers, properties = message.get("headers"), message.get("properties")
    return (
        (message.get("content-type"), message.get("content-encoding")) == ("application/json", "utf-8")
        and isinstance(headers, dict)
        and isinstance(properties, dict)
        and _all(headers, _HEADERS)
        and _all(properties, _PROPERTIES)
        and _has_arguments(headers["task"], message.get("body"))
    )


def _has_arguments(task: str, body: object) -> bool:
    if not isinstance(body, str):
        return False
    match _decoded(body):
        case [list(args), dict(kwargs), dict(embed)] if not kwargs and not any(embed.values()):
            wanted = _TASKS[task]
            return len(args) == len(wanted) and all(fits(value) for fits, value in zip(wanted, args, strict=True))
    return False


def _all(given: dict[str, Any], wanted: Mapping[str, Callable[[Any], bool]]) -> bool:
    """Whether each of `given` is as `wanted`, or a plain value where nothing is said of it; no key may be missing."""
    return wanted.keys() <= given.keys() and all(wanted.get(name, _is_plain)(value) for name, value in given.items())


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and ID.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _is_due_soon(value: object) -> bool:
    if value is None:
        return True
    try:
        due = datetime.fromisoformat(str(value))
        return due.replace(tzinfo=due.tzinfo or UTC) < datetime.now(UTC) + _FARTHEST
    except (ValueError, OverflowError):
        return False


def _is_limits(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(each is None or _is_count(each) for each in value)


def _is_delivery(value: object) -> bool:
    return isinstance(value, dict) and _all(value, {"exchange": _is_text, "routing_key": _is_text})


_TASKS = {"ferry.upload": (_is_id, _is_text), "ferry.upload_pieces": (_is_id, _is_id)}
"""The arguments of each task."""

_HEADERS: Mapping[str, Callable[[Any], bool]] = {
    "task": lambda value: isinstance(value, str) and value in _TASKS,
    "id": _is_id,
    "retries": _is_count,
    "eta": _is_due_soon,
    "expires": lambda value: value is None,
    "timelimit": _is_limits,
    "stamped_headers": lambda value: value is None or value == [],
    "stamps": lambda value: value is None or value == {},
}
_PROPERTIES: Mapping[str, Callable[[Any], bool]] = {
    "delivery_tag": _is_id,
    "delivery_info": _is_delivery,
    "body_encoding": lambda value: value == "utf-8",
    "correlation_id": _is_id,
    "priority": _is_count,
}
