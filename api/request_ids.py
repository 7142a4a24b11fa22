"""An id for each request: in every line that it logs, in its answer, and in the problem that the answer may be."""

from __future__ import annotations

from flask import Flask, Response, request

import logs
from server.request_ids import HEADER, request_id


def _begin() -> None:
    logs.request_id.set(request_id(request.headers.get(HEADER)))


def _tell(answer: Response) -> Response:
    answer.headers[HEADER] = logs.request_id.get() or ""
    return answer


def _end(error: BaseException | None) -> None:
    logs.request_id.set(None)


def init_app(app: Flask) -> None:
    """Give every request its id. Comes before all that may refuse one."""
    app.before_request(_begin)
    app.after_request(_tell)
    app.teardown_request(_end)
