"""A fake Ferry in a thread, with configurable failures."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class RecordedRequest:
    """One received request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeServer:
    """State of a fake server. `overrides` replace the responses to the next requests, one each."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    requests: list[RecordedRequest] = field(default_factory=list)
    overrides: list[Callable[[Handler], None]] = field(default_factory=list)
    truncate_content_at: list[int] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    url: str = ""

    def add(self, body: bytes, name: str = "a.bin", **extra: Any) -> str:
        """Add a COMPLETE file, or one with the values in `extra`. Returns its id."""
        id = f"id-{len(self.files)}"
        self.contents[id] = body
        self.files[id] = {
            "id": id, "name": name, "status": "COMPLETE", "mode": "normal", "size": len(body), "error": None,
            "sha256": hashlib.sha256(body).hexdigest(), "created_at": "2026-11-20T10:24:31.645Z", **extra,
        }  # fmt: skip
        return id

    def set_status(self, id: str, status: str) -> None:
        with self.changed:
            self.files[id]["status"] = status
            self.changed.notify_all()


@contextmanager
def running_fake() -> Iterator[FakeServer]:
    """Run a fake server for the length of a `with` block."""
    fake = FakeServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"fake": fake}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()


def respond_problem(status: int, slug: str, **headers: str) -> Callable[[Handler], None]:
    """Return an override that responds with a problem."""
    return lambda handler: handler.problem(status, slug, **headers)


def disconnect(handler: Handler) -> None:
    """Close the connection without a response."""
    handler.close_connection = True


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    fake: FakeServer
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:  # The client disconnected.
            self.close_connection = True

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        request = RecordedRequest(
            self.command, parts.path, dict(parse_qsl(parts.query)), dict(self.headers), self._body()
        )
        self.fake.requests.append(request)
        if self.fake.overrides:
            self.fake.overrides.pop(0)(self)
            return
        for method, pattern, respond in _ROUTES:
            matches = re.fullmatch(pattern, request.path)
            if matches and method == request.method:
                respond(self, request, *matches.groups())
                return
        self.problem(404, "not-found")

    do_GET = do_POST = do_DELETE = do_CONNECT = _serve  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass

    def respond(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def json(self, status: int, value: object, **headers: str) -> None:
        self.respond(status, json.dumps(value).encode(), **headers)

    def problem(self, status: int, slug: str, **headers: str) -> None:
        self.json(status, {"type": f"/problems/{slug}", "title": slug, "status": status}, **headers)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:
                raise ConnectionError
            return body
        body = b""
        while size := int(self._line(), 16):
            body += self.rfile.read(size)
            self._line()
        self.rfile.readline()
        return body

    def _line(self) -> bytes:
        line = self.rfile.readline()
        if not line:
            raise ConnectionError
        return line

    def upload(self, request: RecordedRequest, mode: str) -> None:
        expires_in = request.query.get("expires_in")
        extra = {"expires_at": seconds_from_now(int(expires_in))} if expires_in else {}
        id = self.fake.add(request.body, request.query.get("name", ""), mode=mode, **extra)
        self.json(201, self.fake.files[id])

    def status(self, request: RecordedRequest, id: str) -> None:
        if id not in self.fake.files:
            self.problem(404, "not-found")
            return
        file, deadline = self.fake.files[id], time.monotonic() + float(request.query.get("wait", 0))
        etag = request.headers.get("If-None-Match", f'"{file["status"]}"')
        with self.fake.changed:
            while f'"{file["status"]}"' == etag and not is_final(file) and time.monotonic() < deadline:
                self.fake.changed.wait(deadline - time.monotonic())
        extra = {} if is_final(file) else {"Retry_After": "1"}
        if f'"{file["status"]}"' == request.headers.get("If-None-Match"):
            self.respond(304, **extra)
        else:
            self.json(200, file, ETag=f'"{file["status"]}"', **extra)

    def content(self, request: RecordedRequest, id: str) -> None:
        if self.fake.files[id]["status"] != "COMPLETE":
            self.json(409, {"type": "/problems/not-ready", "title": "x", "status": self.fake.files[id]["status"]})
            return
        if id not in self.fake.contents:
            self.problem(404, "object-missing")
            return
        body, etag = self.fake.contents[id], f'"{self.fake.files[id]["sha256"]}"'
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        start = start if request.headers.get("If-Range", etag) == etag else 0
        content = body[start:]
        cut = self.fake.truncate_content_at.pop(0) if self.fake.truncate_content_at else len(content)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(content[:cut])
        self.close_connection = cut < len(content)

    def link(self, request: RecordedRequest, id: str) -> None:
        if id not in self.fake.files:
            self.problem(404, "not-found")
            return
        expires_at = seconds_from_now(int(request.query.get("expires", 300)))
        self.json(200, {"url": f"{self.fake.url}/signed/{id}", "expires_at": expires_at})

    def list(self, request: RecordedRequest) -> None:
        matches = [
            file
            for file in reversed(self.fake.files.values())
            if file["name"].startswith(request.query.get("prefix", ""))
            and file["status"] == request.query.get("status", file["status"])
        ]
        start, limit = int(request.query.get("cursor", 0)), int(request.query.get("limit", 20))
        cursor = str(start + limit) if start + limit < len(matches) else None
        self.json(200, {"files": matches[start : start + limit], "next": cursor})

    def statuses(self, request: RecordedRequest) -> None:
        ids = json.loads(request.body)["ids"]
        assert 1 <= len(ids) <= 100
        files = [self.fake.files[id] for id in ids if id in self.fake.files]
        self.json(200, {"files": files, "unknown": [id for id in ids if id not in self.fake.files]})

    def delete(self, _: RecordedRequest, id: str) -> None:
        if self.fake.files.pop(id, None):
            self.respond(204)
        else:
            self.problem(404, "not-found")

    def delete_many(self, request: RecordedRequest) -> None:
        ids = json.loads(request.body)["ids"]
        deleted = [id for id in ids if self.fake.files.pop(id, None)]
        self.json(200, {"deleted": deleted, "unknown": [id for id in ids if id not in deleted]})


def seconds_from_now(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def is_final(file: dict[str, Any]) -> bool:
    return file["status"] in ("COMPLETE", "ERROR")


_ROUTES = [
    ("POST", "/(normal|async|celery)_upload", Handler.upload),
    ("GET", "/files", Handler.list),
    ("POST", "/files/status", Handler.statuses),
    ("POST", "/files/delete", Handler.delete_many),
    ("GET", "/files/([^/]+)", Handler.status),
    ("DELETE", "/files/([^/]+)", Handler.delete),
    ("GET", "/files/([^/]+)/link", Handler.link),
    ("GET", "/files/([^/]+)/content", Handler.content),
]
