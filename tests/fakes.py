"""Stand-ins: a storage that fails on demand, streams that break, bodies that a browser or curl would send."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from flask import Flask

from lifecycle import queries
from models import File
from services import EXTENSION, Services, current_services
from storage.base import Stat, StorageError
from storage.memory import MemoryStorage

BOUNDARY = "boundary"


class FailingStorage(MemoryStorage):
    """Raises `error` from put after the whole stream has been read, as long as there is one."""

    def __init__(self, error: StorageError | None = None) -> None:
        super().__init__()
        self.error = error

    def put(self, key: str, stream: Iterator[bytes], **options: Any) -> Stat:
        if self.error:
            for _ in stream:
                pass
            raise self.error
        return super().put(key, stream, **options)


def chunks(*sizes: int) -> Iterator[bytes]:
    """Chunks of these sizes, each of bytes of its own."""
    return (bytes([number % 256]) * size for number, size in enumerate(sizes, 1))


def breaking(body: bytes, error: Exception) -> Iterator[bytes]:
    """Yields `body`, then raises `error`."""
    yield body
    raise error


def part(name: str, body: bytes, filename: str | None = None, content_type: str = "") -> bytes:
    """One part of a form, without the boundary in front of it."""
    head = f'Content-Disposition: form-data; name="{name}"'
    head += f'; filename="{filename}"' if filename is not None else ""
    head += f"\r\nContent-Type: {content_type}" if content_type else ""
    return head.encode() + b"\r\n\r\n" + body


def form(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    """A multipart/form-data body of these parts, for `Content-Type: FORM`."""
    return b"".join(b"--boundary\r\n" + each + b"\r\n" for each in parts) + b"--boundary" + end


FORM = f"multipart/form-data; boundary={BOUNDARY}"


def eventually(holds: Callable[[], bool], seconds: float = 8) -> bool:
    """Whether it does within some seconds, for what has no event to wait for."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    return holds()


def failing(app: Flask, error: Exception) -> FailingStorage:
    """Give the app a storage whose put raises `error`."""
    storage = FailingStorage(error)  # type: ignore[arg-type]
    replace_services(app, storage=storage)
    return storage


def reload(row: File) -> File:
    """The file as its row says now."""
    other = queries.get(row.id)
    assert other is not None
    return other


def services_of(app: Flask) -> Services:
    """The services of an app, also outside its context."""
    with app.app_context():
        return current_services()


def replace_services(app: Flask, **fields: Any) -> None:
    """Give an app that is already made other services, by the names of the fields of `Services`."""
    app.extensions[EXTENSION] = replace(services_of(app), **fields)
