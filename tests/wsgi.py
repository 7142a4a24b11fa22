"""WSGI requests as from gunicorn: the input ends after the body, and arrives in pieces of any size."""

from __future__ import annotations

import io

from flask import Request
from werkzeug.test import EnvironBuilder

from api.upload_request import parse
from lifecycle.upload_source import UploadSource
from tests.fakes import FORM

LIMIT = 1 << 20


class ChunkedInput(io.RawIOBase):
    """A body that arrives in pieces of the given sizes, which repeat."""

    def __init__(self, body: bytes, sizes: list[int]) -> None:
        self._body, self._at, self._sizes, self._turn = body, 0, sizes, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        step = self._sizes[self._turn % len(self._sizes)]
        self._turn += 1
        end = self._at + (step if size < 0 else min(step, size))
        piece = self._body[self._at : end]
        self._at += len(piece)
        return piece


def request(
    body: bytes,
    content_type: str = FORM,
    *,
    length: int | None = -1,
    sizes: list[int] | None = None,
    query: str = "",
    **headers: str,
) -> Request:
    """A WSGI request as from gunicorn: the input ends after the body."""
    environ = EnvironBuilder(method="POST", path="/normal_upload", query_string=query, headers=headers).get_environ()
    environ |= {"wsgi.input": ChunkedInput(body, sizes or [1 << 20]), "wsgi.input_terminated": True}
    environ["CONTENT_TYPE"] = content_type
    if length is not None:
        environ["CONTENT_LENGTH"] = str(len(body) if length == -1 else length)
    return Request(environ)


def parse_upload(*args: object, limit: int = LIMIT, **kwargs: object) -> tuple[UploadSource, bytes]:
    sent = parse(request(*args, **kwargs), limit)  # type: ignore[arg-type]
    return sent, b"".join(sent.stream)
