"""What a process says of itself: one line a record, as JSON for machines or as text for people, on stderr.

A line holds no query string, no password and no token, whoever wrote it: those who may read logs may not do what
users may. What a client chose (a path, a name in an exception) can't forge a line: control characters are escaped.
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
from typing import Any, TextIO

from content.redaction import redact_secrets

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
principal: ContextVar[Mapping[str, str] | None] = ContextVar("principal", default=None)
"""`owner`, and `key` by its public id, of the request that is served; None for one without a key."""

PRINCIPAL = "ferry.principal"
"""The entry of a request's WSGI environment that says the same, for the line that is written after all else is over."""

_file_id: ContextVar[str | None] = ContextVar("file_id", default=None)

_LINE = "gunicorn.access"
_LONGEST = 1024
_OURS = ("time", "level", "logger")


def for_file(id: str) -> dict[str, str]:
    """`extra` of a log call that is about one file."""
    return {"file_id": id}


def for_request(id: str) -> dict[str, str]:
    """`extra` of a log call about a request that the app never saw."""
    return {"request_id": id}


@contextmanager
def file_context(id: str | None) -> Iterator[None]:
    """All that this thread logs meanwhile is about this file."""
    before = _file_id.set(id)
    try:
        yield
    finally:
        _file_id.reset(before)


def record_fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a line says, by name. Those that do not apply are not there."""
    known = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _message(record),
        "request_id": getattr(record, "request_id", None) or request_id.get(),
        **(principal.get() or {}),
        "file_id": getattr(record, "file_id", None) or _file_id.get(),
        "pid": record.process,
        **(_access(record.args) if record.name == _LINE and isinstance(record.args, Mapping) else {}),
        "exception": _exception(record),
    }
    return {name: _safe(name, value) for name, value in known.items() if value is not None}


def _safe(name: str, value: Any) -> Any:
    """A client, or who writes to Redis, may have chosen any text that is not Ferry's own."""
    return redact_secrets(value) if isinstance(value, str) and name not in _OURS else value


def truncate(text: str) -> str:
    """`text` of a client's choice, cut where it would take more than 1024 characters of JSON."""
    if len(json.dumps(text)) <= _LONGEST:
        return text
    size = 0
    for at, sign in enumerate(text):
        size += len(json.dumps(sign)) - len('""')
        if size > _LONGEST:
            return text[:at] + "…"
    return text


def _message(record: logging.LogRecord) -> str:
    if record.name == _LINE and isinstance(record.args, Mapping) and "U" in record.args:
        path = str(record.args["U"])
        return record.getMessage().replace(path, truncate(path), 1)
    return record.getMessage()


def _access(atoms: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request that was answered, from gunicorn's atoms: it is over, and its id in its headers."""
    # gunicorn has put a backslash before each quote. WSGI's text is bytes in disguise (PEP 3333).
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
    return _PLAIN.formatException(record.exc_info)


def _visible(text: str) -> str:
    """`text` with everything escaped that is not seen as itself: control characters, bidirectional marks."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


class JsonFormatter(logging.Formatter):
    """A line of JSON, of ASCII only."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(record_fields(record)).replace("\x7f", "\\u007f")


class TextFormatter(logging.Formatter):
    """The same for people. An exception goes on below its line, indented."""

    def format(self, record: logging.LogRecord) -> str:
        said = record_fields(record)
        file = f"file {said['file_id']}: " if "file_id" in said else ""
        who = f" {said['owner']}/{said['key']}" if "key" in said else ""
        request = f" [{said['request_id']}{who}]" if "request_id" in said else ""
        line = f"{said['time']} {said['level']} {said['logger']}{request}: {file}{said['message']}"
        below = said["exception"].splitlines() if "exception" in said else []
        return "\n  ".join(_visible(each) for each in (line, *below))


_PLAIN = logging.Formatter()


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what is stderr now. `logging` would keep what it was at the start."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def logging_config(style: str, level: str = "INFO") -> dict[str, Any]:
    """The settings of `logging` for a whole process; `style` is json or text."""
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
            _LINE: {"propagate": True},
            "multiprocessing": {"level": "ERROR", "propagate": True},
        },
    }


def configure(style: str, level: str = "INFO") -> None:
    """Have this process log as `settings` says."""
    dictConfig(logging_config(style, level))
