"""Ferry with failpoints: the app factory for gunicorn and Celery in fault tests.

FERRY_FAIL="point:action" activates a failpoint, FERRY_FAIL_ONCE=path triggers it once over all processes. With
FERRY_FAIL="@path" tests write "point:action" into that file while the processes run; it is triggered once, and the
file is removed. The product has no code for this: its functions are wrapped from outside.

FERRY_DEAF=path: while this file exists, a worker takes no task if it contains "deaf", or hangs forever if it contains
"hang".

gunicorn -c gunicorn.conf.py "tests.faults.failpoints:create_app()"
celery -A tests.faults.failpoints.celery worker
"""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from flask import Flask

import app
import tasks
from broker import transport
from lifecycle import transitions
from spool import Spool
from storage.s3.multipart import MultipartUploads
from storage.s3.object_client import ObjectClient

Place = tuple[Any, Callable[..., Any]]
"""A module or class, and its function that is wrapped."""

_IN_ORDER: dict[str, tuple[str, tuple[Place, ...]]] = {
    "spool_fsynced": ("after", ((Spool, Spool.write),)),
    "row_committed": ("after", ((transitions, transitions.insert),)),
    "enqueued": ("after", ((tasks, tasks.send_inline), (tasks, tasks.send_relayed))),
    "claimed": ("after", ((transitions, transitions.claim),)),
    "multipart_created": ("after", ((MultipartUploads, MultipartUploads.create),)),
    "part_sent": ("after", ((ObjectClient, ObjectClient.put),)),
    "before_complete": ("before", ((MultipartUploads, MultipartUploads.complete),)),
    "after_complete": ("before", ((ObjectClient, ObjectClient.verify),)),
    "after_head": ("after", ((ObjectClient, ObjectClient.verify),)),
    "before_finish_update": ("before", ((transitions, transitions.set_complete),)),
    "after_finish_update": ("after", ((transitions, transitions.set_complete),)),
    "spool_discarded": ("after", ((Spool, Spool.delete),)),
}
"""The failpoints, in the order in which a file passes them. At `after_complete` the object exists, unverified."""

POINTS = tuple(_IN_ORDER)
ACTIONS = ("kill9", "term", "raise", "hang")
"""And `freeze`: SIGSTOP to the process."""


def act(action: str) -> None:
    """Execute an action."""
    if action == "kill9":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "term":
        os.kill(os.getpid(), signal.SIGTERM)
    elif action == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif action == "hang":
        threading.Event().wait()
    else:
        raise RuntimeError("a failpoint was triggered")


def pass_by(point: str) -> None:
    """Execute the action if this failpoint is active and has not been triggered yet."""
    wanted = os.environ.get("FERRY_FAIL", "")
    if wanted.startswith("@"):
        wanted = _taken(Path(wanted[1:]), point)
    elif wanted.startswith(f"{point}:") and not _is_first(os.environ.get("FERRY_FAIL_ONCE")):
        return
    where, _, action = wanted.partition(":")
    if where == point:
        act(action)


def _taken(order: Path, point: str) -> str:
    """The active failpoint with its action, if it is this one and no other process has taken it."""
    with suppress(OSError):
        wanted = order.read_text()
        if wanted.startswith(f"{point}:"):
            order.unlink()
            return wanted
    return ""


def _is_first(marker: str | None) -> bool:
    try:
        if marker:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


@functools.cache
def wrap() -> None:
    """Wrap all functions that have failpoints, once."""
    for point, (moment, places) in _IN_ORDER.items():
        for owner, function in places:
            name = function.__name__
            setattr(owner, name, _wrapped(getattr(owner, name), point, moment))
    transport.QoS.can_consume = _may_be_deaf(transport.QoS.can_consume)  # type: ignore[method-assign]


def _may_be_deaf(can_consume: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def asked(qos: Any) -> bool:
        with suppress(OSError, KeyError):
            if Path(os.environ["FERRY_DEAF"]).read_text() == "hang":
                act("hang")
            return False
        return can_consume(qos)

    return asked


def _wrapped(function: Callable[..., Any], point: str, moment: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def passing(*args: Any, **kwargs: Any) -> Any:
        if moment == "before":
            pass_by(point)
        result = function(*args, **kwargs)
        # A claim that failed or was lost is not a step of the file.
        if moment == "after" and result is not False:
            pass_by(point)
        return result

    return passing


def create_app() -> Flask:
    """The service, with failpoints."""
    wrap()
    return app.create_app()


def __getattr__(name: str) -> Any:
    """`failpoints.celery`: the app's own, with failpoints."""
    if name == "celery":
        wrap()
        return app.celery
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
