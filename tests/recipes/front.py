"""A server in front of Ferry that is overloaded for one request, so that a client has to repeat it."""

from __future__ import annotations

import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Front(ThreadingHTTPServer):
    """Answers the first request with 503 and `Retry-After: 1`, and passes all others on to Ferry's port."""

    daemon_threads = True

    def __init__(self, ferry_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ferry_port = ferry_port
        self.bodies: list[bytes] = []
        self.keys: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Front:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Front
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self._body()
        self.server.bodies.append(body)
        self.server.keys.append(self.headers["Idempotency-Key"])
        if len(self.server.bodies) == 1:
            self._answer(503, {"Retry-After": "1"}, b"")
        else:
            self._pass_on(body)

    do_POST = do_PUT  # noqa: N815

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] is None:
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _pass_on(self, body: bytes) -> None:
        ferry = HTTPConnection("127.0.0.1", self.server.ferry_port, timeout=60)
        drop = {"host", "connection", "transfer-encoding", "content-length", "expect"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in drop}
        ferry.request(self.command, self.path, body, headers)
        answer = ferry.getresponse()
        self._answer(answer.status, {"Content-Type": answer.headers["Content-Type"]}, answer.read())
        ferry.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""
