"""Requests to the sink, their S3 verbs, and its responses."""

from __future__ import annotations

from dataclasses import dataclass, field

from sink_wire import Body

_KINDS = {
    ("PUT", "bucket", ""): "create_bucket", ("HEAD", "bucket", ""): "head_bucket",
    ("GET", "bucket", ""): "list_objects",
    ("PUT", "key", ""): "put_object", ("HEAD", "key", ""): "head_object", ("GET", "key", ""): "get_object",
    ("DELETE", "key", ""): "delete_object",
    ("POST", "key", "uploads"): "create_upload", ("GET", "bucket", "uploads"): "list_uploads",
    ("PUT", "key", "uploadId"): "upload_part", ("GET", "key", "uploadId"): "list_parts",
    ("POST", "key", "uploadId"): "complete_upload", ("DELETE", "key", "uploadId"): "abort_upload",
}  # fmt: skip


class S3Error(Exception):
    """An error response: S3's code and its HTTP status."""

    def __init__(self, code: str, status: int, detail: str = "") -> None:
        super().__init__(code)
        self.code, self.status, self.detail = code, status, detail


@dataclass
class Answer:
    """A response."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    """Content-Length where it is not that of the body: HEAD."""


@dataclass
class Request:
    """One request; its body is not read yet."""

    method: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Body

    @property
    def kind(self) -> str:
        """The verb: the name of the Store's method that serves it, or `other`."""
        mark = next((mark for mark in ("uploads", "uploadId") if mark in self.query), "")
        return _KINDS.get((self.method, "key" if self.key else "bucket", mark), "other")
