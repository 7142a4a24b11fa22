"""Request ids: one for each request, in its log lines, its response and its problem details."""

from __future__ import annotations

from flask import Flask, Response, g, request

import logs
from server.request_ids import HEADER, request_id


def _set_request_id() -> None:
    g.request_id = request_id(request.headers.get(HEADER))
    logs.bind(request_id=g.request_id)


def _add_header(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    return response


def _clear_log_context(error: BaseException | None) -> None:
    logs.clear()


def init_app(app: Flask) -> None:
    """Give every request an id. Must be registered before any hook that may reject the request."""
    app.before_request(_set_request_id)
    app.after_request(_add_header)
    app.teardown_request(_clear_log_context)
