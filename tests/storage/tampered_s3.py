"""S3 storages on a test server, with changes to requests and responses on their way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

from dev import parts
from storage.base import Stat, StorageUnavailable
from storage.parts import MIN_PART, Part
from storage.s3.options import S3Options
from storage.s3.responses import Response
from storage.s3.storage import S3Storage
from tests.fakes import chunks

_opened: list[S3Storage] = []


def s3(endpoint: str, **options: Any) -> S3Storage:
    """A storage at `endpoint`; `options` are S3Storage's. The fixture `closed` closes it."""
    options = {"aws_access_key_id": parts.ACCESS_KEY, "aws_secret_access_key": parts.SECRET_KEY} | options
    _opened.append(S3Storage(**{"bucket": parts.BUCKET, "endpoint": endpoint} | options))
    return _opened[-1]


def close_all() -> None:
    """Close the storages that `s3` opened."""
    while _opened:
        _opened.pop().close()


class Intercepted:
    """Delegates to `real`, or to `method(real_method, *arguments)` where one is named. Records the other calls."""

    def __init__(self, real: Any, **methods: Any) -> None:
        self._real, self._methods = real, methods
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)
        if name in self._methods:
            return lambda *args, **kwargs: self._methods[name](method, *args, **kwargs)
        if not callable(method):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            return method(*args, **kwargs)

        return call


class TamperedS3:
    """A storage with a function between it and the network for some of PUT, PART, HEAD, COMPLETE: `verb(send)`."""

    def __init__(
        self, endpoint: str, *, bucket: str = parts.BUCKET, options: S3Options | None = None, **verbs: Any
    ) -> None:
        self.storage, self._verbs = s3(endpoint, bucket=bucket, options=options), verbs
        made = self.storage._resources.get()
        self.boto = Intercepted(made.client.boto)
        self.sent: list[str] = []
        self.retained: list[Part] | None = None
        """If a list, all parts are retained in it, as by a hashing thread that is slower than the storage."""
        made.client.boto = self.boto
        self.storage._resources._resources = replace(made, http=Intercepted(made.http, request=self._request))

    def _request(self, send: Any, method: str, target: str, *rest: Any) -> Any:
        verb = "PART" if "partNumber" in target else "COMPLETE" if method == "POST" else method
        self.sent.append(verb)
        return self._verbs.get(verb, lambda send: send())(lambda: send(method, target, *rest))

    def put_whole(self) -> Stat:
        return self.send(str(uuid4()), iter([b"four"]), max_bytes=None)

    def put_parts(self, number: int = 2) -> Stat:
        return self.send(str(uuid4()), chunks(*[MIN_PART] * (number - 1), 9), max_bytes=12 * MIN_PART)

    def put(self, how: str) -> Stat:
        return self.put_whole() if how == "whole" else self.put_parts()

    def send(self, key: str, stream: Iterator[bytes], **options: Any) -> Stat:
        """Upload a stream; `upload` is the handle."""
        self.upload = self.storage.upload(key, content_type="text/plain", **options)
        with self.upload:
            for part in self.upload.split(stream):
                if self.retained is not None:
                    part.retain()
                    self.retained.append(part)
                self.upload.write(part)
            return self.upload.complete()


def lost_response(send: Any) -> Any:
    """The server executes the request; the response is lost."""
    send()
    raise StorageUnavailable


def never_sent(send: Any) -> Any:
    """The request does not reach the server."""
    raise StorageUnavailable


def with_headers(**headers: str | None) -> Any:
    """Change headers of the response; None removes one."""

    def tamper(send: Any) -> Response:
        response: Response = send()
        changed = {**response.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return replace(response, headers={name: value for name, value in changed.items() if value is not None})

    return tamper


def at_first(times: int, tamper: Any) -> Any:
    """Apply `tamper` to the first `times` requests only."""
    left = [times]

    def work(send: Any) -> Any:
        left[0] -= 1
        return tamper(send) if left[0] >= 0 else send()

    return work


WRONG = {
    "crc": with_headers(x_amz_checksum_crc32="AAAAAA=="),
    "md5": with_headers(x_amz_checksum_crc32=None, etag=f'"{"0" * 32}"'),
}
"""Responses with the digest of other bytes."""
