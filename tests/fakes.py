"""Fakes: a storage that fails on demand, broken streams, bodies as a browser or curl sends them."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

from services import Services, current_services
from storage.base import Stat
from storage.memory import MemoryStorage

BOUNDARY = "boundary"

ID = "01990000-0000-7000-8000-00000000000a"
"""The id of a file."""


class FailingStorage(MemoryStorage):
    """Raises `error`, if there is one, at the end of an upload."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__("https://cdn.example.com")
        self.error = error

    def store(self, key: str, body: bytes, headers: tuple[str, str | None]) -> Stat:
        if self.error:
            raise self.error
        return super().store(key, body, headers)


def chunks(*sizes: int) -> Iterator[bytes]:
    """Chunks of these sizes, each of another byte."""
    return (bytes([number % 256]) * size for number, size in enumerate(sizes, 1))


def breaking(body: bytes, error: Exception) -> Iterator[bytes]:
    """Yields `body`, then raises `error`."""
    yield body
    raise error


def unread() -> Iterator[bytes]:
    """A stream that must not be read."""
    raise AssertionError("the stream was read")
    yield b""


def part(name: str, body: bytes, filename: str | None = None, content_type: str = "") -> bytes:
    """One part of a form, without its boundary."""
    head = f'Content-Disposition: form-data; name="{name}"'
    head += f'; filename="{filename}"' if filename is not None else ""
    head += f"\r\nContent-Type: {content_type}" if content_type else ""
    return head.encode() + b"\r\n\r\n" + body


def form(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    """A multipart/form-data body of these parts, for `Content-Type: FORM`."""
    return b"".join(b"--boundary\r\n" + each + b"\r\n" for each in parts) + b"--boundary" + end


FORM = f"multipart/form-data; boundary={BOUNDARY}"


def services_of(app: Flask) -> Services:
    """The services of an app, also outside its context."""
    with app.app_context():
        return current_services()
