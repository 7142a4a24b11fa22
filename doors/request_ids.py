"""An id for each request: in every line that it logs, in its answer, and in the problem that the answer may be."""

from __future__ import annotations

import re

import uuid_utils
from flask import Flask, Response, request

import logs

HEADER = "X-Request-ID"
_HARMLESS = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def chosen(sent: str | None) -> str:
    """The id that came with a request, from a proxy say, if it is harmless in a log; otherwise a new one."""
    return sent if sent and _HARMLESS.fullmatch(sent) else str(uuid_utils.uuid7())


def _begin() -> None:
    logs.request_id.set(chosen(request.headers.get(HEADER)))


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
