"""Files to download, the headers of every download, and a storage that fails during one."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from problems import TooManyDownloads
from services import current_services
from storage.base import StorageError, Stream
from storage.memory import MemoryStorage

BODY = bytes(range(256)) * 4
FILE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}


def store(client: FlaskClient, body: bytes = BODY, name: str = "a.bin", **headers: str) -> str:
    answer = client.post(
        "/normal_upload",
        query_string={"name": name},
        data=body,
        content_type="text/html",
        headers=headers,
        environ_overrides={"CONTENT_LENGTH": str(len(body))},
    )
    assert answer.status_code == 201
    return answer.get_json()["id"]  # type: ignore[no-any-return]


def get(client: FlaskClient, id: str, **headers: str) -> TestResponse:
    return client.get(
        f"/files/{id}/content", headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


class FailingDownloads(MemoryStorage):
    """Raises `error` on open, or after `sent` bytes. Without an error it sends `more` after them."""

    def __init__(self, error: StorageError | None, sent: int | None = None, more: bytes = b"") -> None:
        super().__init__()
        self.error, self.sent, self.more, self.closed = error, sent, more, 0

    def open(self, key: str, start: int = 0, length: int | None = None, **options: Any) -> Stream:
        if self.error and self.sent is None:
            raise self.error
        return self._stream(bytes(super().open(key, start, length, **options).__next__()))

    def _stream(self, body: bytes) -> Any:
        try:
            yield body[: self.sent]
            if self.error:
                raise self.error
            yield self.more
        finally:
            self.closed += 1


def assert_all_slots_are_free(client: FlaskClient) -> None:
    """The client's transfer slots can all be acquired."""
    most = client.application.config["FERRY"].max_transfers
    with ExitStack() as taken:
        for _ in range(most):
            taken.enter_context(current_services().transfers.acquire("127.0.0.1", most, TooManyDownloads()))
