"""A client that records its uploads and their responses, to be compared with what is stored."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Any

import requests

from tests.fakes import FORM, form, part

MODES = {"normal": 201, "async": 202, "celery": 202}
_PROBLEM = "application/problem+json"


@dataclass
class Upload:
    """One upload and its response. `status` is 0 without a response."""

    mode: str
    size: int
    sha256: str
    status: int = 0
    id: str | None = None
    slug: str | None = None
    key: str | None = None
    """The request's Idempotency-Key, if it had one."""

    @property
    def accepted(self) -> bool:
        """Whether Ferry accepted it, and so must not lose it."""
        return 200 <= self.status < 300


class Client:
    """Uploads to one Ferry, from any thread. `uploads` are all of them, `malformed`: responses that break the API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.uploads: list[Upload] = []
        self.malformed: list[str] = []
        self._lock = threading.Lock()

    def upload(self, mode: str, body: bytes, *, seconds: float = 90, key: str | None = None) -> Upload:
        """Send a file. Never raises for a failure of the server."""
        upload = Upload(mode, len(body), hashlib.sha256(body).hexdigest(), key=key)
        with self._lock:
            self.uploads.append(upload)
        headers = {"Content-Type": FORM} | ({"Idempotency-Key": key} if key else {})
        data = form(part("file", body, "a.bin", "application/pdf"))
        try:
            answer = requests.post(f"{self.url}/{mode}_upload", data=data, headers=headers, timeout=seconds)
            self._note(upload, answer)
        except requests.Timeout:
            self.malformed.append(f"{mode}: no answer within {seconds} s")
        except requests.RequestException:
            pass  # A killed server sends no response: the file was not accepted.
        return upload

    def file(self, id: str) -> dict[str, Any] | None:
        """The file by GET /files/<id>; None for 404."""
        answer = requests.get(f"{self.url}/files/{id}", timeout=30)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()  # type: ignore[no-any-return]

    def files(self, status: str | None = None) -> list[dict[str, Any]]:
        """All files, or those of one status."""
        found: list[dict[str, Any]] = []
        params: dict[str, Any] = {"limit": 100} | ({"status": status} if status else {})
        while True:
            answer = requests.get(f"{self.url}/files", params=params, timeout=30)
            answer.raise_for_status()
            found += answer.json()["files"]
            if (cursor := answer.json()["next"]) is None:
                return found
            params["cursor"] = cursor

    def _note(self, upload: Upload, answer: requests.Response) -> None:
        upload.status = answer.status_code
        if upload.accepted:
            upload.id = answer.json()["id"]
            return
        kind = answer.headers.get("Content-Type", "")
        if kind != _PROBLEM:
            self.malformed.append(f"{upload.mode}: {answer.status_code} as {kind!r}: {answer.text[:200]}")
            return
        upload.slug = answer.json()["type"].rsplit("/", 1)[1]
        if answer.status_code == 503 and "Retry-After" not in answer.headers:
            self.malformed.append(f"{upload.mode}: 503 {upload.slug} without Retry-After")
