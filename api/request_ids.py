"""Request ids: one for each request, in its log lines, its response and its problem details."""

from __future__ import annotations

from flask import Flask, Response, request

import logs
from server.request_ids import HEADER, request_id


def _set_request_id() -> None:
    logs.request_id.set(request_id(request.headers.get(HEADER)))


def _add_header(response: Response) -> Response:
    response.headers[HEADER] = logs.request_id.get() or ""
    return response


def _clear_request_id(error: BaseException | None) -> None:
    logs.request_id.set(None)


def init_app(app: Flask) -> None:
    """Give every request an id. Must be registered before any hook that may reject the request."""
    app.before_request(_set_request_id)
    app.after_request(_add_header)
    app.teardown_request(_clear_request_id)
