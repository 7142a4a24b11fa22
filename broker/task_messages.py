"""Validation of the queue's messages. Pure rules: many malformed messages crash kombu or Celery.

A message that crashes a worker is requeued when the worker ends, and would crash the next one too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from content.filenames import ID

_MAX_DELAY = timedelta(days=1)
"""Maximum delay of a task: a retry is delayed by the length of a lease."""


def is_task(message: bytes) -> bool:
    """Return whether this is one of Ferry's tasks, with its own arguments and only what Celery accepts."""
    decoded = _decode(message)
    return isinstance(decoded, dict) and _is_message(decoded)


def is_unacknowledged(entry: bytes) -> bool:
    """Return whether this is kombu's record of a task that was taken: the message, its exchange and its queue."""
    match _decode(entry):
        case [dict(message), str(), str()]:
            return _is_message(message)
    return False


def _decode(text: bytes | str) -> object:
    """Parse JSON; None if it is malformed. Half a surrogate pair can be parsed, but not encoded again."""
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
        and _all_valid(headers, _HEADERS)
        and _all_valid(properties, _PROPERTIES)
        and _has_arguments(headers["task"], message.get("body"))
    )


def _has_arguments(task: str, body: object) -> bool:
    if not isinstance(body, str):
        return False
    match _decode(body):
        case [list(args), dict(kwargs), dict(embed)] if not kwargs and not any(embed.values()):
            checks = _TASKS[task]
            return len(args) == len(checks) and all(check(arg) for check, arg in zip(checks, args, strict=True))
    return False


def _all_valid(values: dict[str, Any], checks: Mapping[str, Callable[[Any], bool]]) -> bool:
    """Return whether all keys of `checks` are present and valid, and all other values are scalars."""
    return checks.keys() <= values.keys() and all(checks.get(name, _is_scalar)(value) for name, value in values.items())


def _is_scalar(value: object) -> bool:
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
        return due.replace(tzinfo=due.tzinfo or UTC) < datetime.now(UTC) + _MAX_DELAY
    except (ValueError, OverflowError):
        return False


def _is_limits(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(each is None or _is_count(each) for each in value)


def _is_delivery(value: object) -> bool:
    return isinstance(value, dict) and _all_valid(value, {"exchange": _is_text, "routing_key": _is_text})


_TASKS = {"ferry.upload": (_is_id, _is_text), "ferry.upload_pieces": (_is_id, _is_id)}
"""Checks of the arguments of each task."""

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
