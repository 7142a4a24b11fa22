"""The least that a Flask service can do with an upload: receive the form, drop its bytes, answer.

    cd benchmarks/peers && gunicorn --no-control-socket -k gthread --threads 8 -b 127.0.0.1:PORT 'discard:create_app()'

`POST /discard` parses the multipart form in reads of 1 MiB. `GET /constant` answers the same small JSON each time.
Both are floors: no upload can be answered sooner than the first, no status sooner than the second.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from multipart import PushMultipartParser

READ = 1 << 20


def create_app() -> Flask:
    """The web application."""
    app = Flask(__name__)

    @app.post("/discard")
    def discard() -> tuple[dict[str, int], int]:
        return {"size": received()}, 202

    @app.get("/constant")
    def constant() -> dict[str, Any]:
        return {"id": 1, "name": "constant", "url": None, "upload_status": "COMPLETE"}

    return app


def received() -> int:
    """Read the form of the request to its end. Returns how many bytes its parts held."""
    size = 0
    with PushMultipartParser(request.mimetype_params["boundary"]) as parser:
        while block := request.stream.read(READ):
            for event in parser.parse(block):
                size += len(event) if isinstance(event, (bytes, bytearray)) else 0
    return size
