"""Logging: one line a record on stderr, as JSON for machines or as text for people.

No line contains a query string, a password or a token, whichever library logged it: access to logs must not grant
access to files. Text chosen by a client (a path, a name in an exception) can't forge a line: control characters are
escaped.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.config import dictConfig
from types import MappingProxyType
from typing import Any, TextIO

from content.redaction import redact_secrets

PRINCIPAL = "ferry.principal"
"""`owner` and `key` (its public id) of a request in its WSGI environment: the access log line is written after the
request's end."""

_context: ContextVar[Mapping[str, str | None]] = ContextVar("log_context", default=MappingProxyType({}))
"""The fields of every line of this request or background job."""

_ACCESS_LOG = "gunicorn.access"
_MAX_JSON_CHARACTERS = 1024
_MAX_JSON_PER_CHARACTER = len(r"\ud83d\ude00")
_TRUSTED_FIELDS = ("time", "level", "logger")
_EXTRA_FIELDS = ("request_id", "file_id")


def rfc3339(seconds: float) -> str:
    """Return a time in seconds since the epoch as RFC 3339: UTC, with milliseconds. Log lines and responses have it.

    >>> rfc3339(0)
    '1970-01-01T00:00:00.000Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def for_file(id: str) -> dict[str, str]:
    """Return `extra` for a log call about one file."""
    return {"file_id": id}


def for_request(id: str) -> dict[str, str]:
    """Return `extra` for a log call about a request that never reached the app."""
    return {"request_id": id}


def bind(**fields: str) -> None:
    """Add fields to the lines of this request. Its end calls `clear`."""
    _context.set({**_context.get(), **fields})


def clear() -> None:
    """Remove the fields that `bind` added."""
    _context.set({})


@contextmanager
def bound(**fields: str | None) -> Iterator[None]:
    """Add fields to the lines of a block.

    with bound(file_id=row.id):
        store(row)
    """
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def record_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of a line; those without a value are left out."""
    fields = {
        "time": rfc3339(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _message(record),
        **_context.get(),
        **{name: value for name in _EXTRA_FIELDS if (value := getattr(record, name, None))},
        "pid": record.process,
        **(_access(record.args) if record.name == _ACCESS_LOG and isinstance(record.args, Mapping) else {}),
        "exception": _exception(record),
    }
    return {name: _safe(name, value) for name, value in fields.items() if value is not None}


def _safe(name: str, value: Any) -> Any:
    """Redact text: clients, and programs with access to Redis, choose much of what is logged."""
    return redact_secrets(value) if isinstance(value, str) and name not in _TRUSTED_FIELDS else value


def truncate(text: str) -> str:
    """Cut a client's text to at most 1024 characters of JSON."""
    if _MAX_JSON_PER_CHARACTER * len(text) < _MAX_JSON_CHARACTERS or len(json.dumps(text)) <= _MAX_JSON_CHARACTERS:
        return text
    size = 0
    for index, char in enumerate(text):
        size += len(json.dumps(char)) - len('""')
        if size > _MAX_JSON_CHARACTERS:
            return text[:index] + "…"
    return text


def _message(record: logging.LogRecord) -> str:
    if record.name == _ACCESS_LOG and isinstance(record.args, Mapping) and "U" in record.args:
        path = str(record.args["U"])
        return record.getMessage().replace(path, truncate(path), 1)
    return record.getMessage()


def _access(atoms: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an access log line, from gunicorn's atoms. The request's id is in the response headers."""
    # gunicorn escapes quotes with a backslash. WSGI text is bytes decoded as Latin-1 (PEP 3333).
    path = str(atoms["U"]).replace('\\"', '"').encode("latin-1", "replace").decode("utf-8", "replace")
    return {
        "request_id": atoms.get("{x-request-id}o"),
        **(atoms.get(f"{{{PRINCIPAL}}}e") or {}),
        "method": atoms["m"],
        "path": truncate(path),
        "status": int(atoms["s"]),
        "bytes": atoms["B"],
        "milliseconds": atoms["M"],
        "address": atoms["h"],
    }


def _exception(record: logging.LogRecord) -> str | None:
    if not record.exc_info:
        return None
    return _PLAIN_FORMATTER.formatException(record.exc_info)


def _escape(text: str) -> str:
    """Escape everything that is not printable: control characters, bidirectional marks."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class JsonFormatter(logging.Formatter):
    """One line of ASCII-only JSON."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(record_fields(record)).replace("\x7f", "\\u007f")


class TextFormatter(logging.Formatter):
    """One line for people. An exception follows on indented lines."""

    def format(self, record: logging.LogRecord) -> str:
        fields = record_fields(record)
        file = f"file {fields['file_id']}: " if "file_id" in fields else ""
        principal = f" {fields['owner']}/{fields['key']}" if "key" in fields else ""
        request = f" [{fields['request_id']}{principal}]" if "request_id" in fields else ""
        line = f"{fields['time']} {fields['level']} {fields['logger']}{request}: {file}{fields['message']}"
        exception = fields["exception"].splitlines() if "exception" in fields else []
        return "\n  ".join(_escape(text) for text in (line, *exception))


_PLAIN_FORMATTER = logging.Formatter()


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to the current sys.stderr. `logging` would keep the one at import."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def logging_config(style: str, level: str = "INFO") -> dict[str, Any]:
    """Return the `logging` configuration of a process; `style` is json or text."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": JsonFormatter if style == "json" else TextFormatter}},
        "handlers": {"stderr": {"()": _Stderr, "formatter": "line"}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            "alembic": {"level": "WARNING"},
            "botocore": {"level": "WARNING"},
            "gunicorn.error": {"propagate": True},
            _ACCESS_LOG: {"propagate": True},
            "multiprocessing": {"level": "ERROR", "propagate": True},
        },
    }


def configure(style: str, level: str = "INFO") -> None:
    """Apply `logging_config` to this process."""
    dictConfig(logging_config(style, level))
