"""Server-sent events of a file (WHATWG HTML §9.2): one event for each state, with its ETag as id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from lifecycle.changes import Subscription, has_ended
from models import FileRow

KEEPALIVE = ":\n\n"
"""A comment line. Sent periodically: only a write detects that the client has disconnected."""

KEEPALIVE_SECONDS = 15.0
STREAM_SECONDS = 300.0
"""Seconds until a stream ends, so that a forgotten browser tab does not occupy a place for ever.

EventSource reconnects with Last-Event-ID.
"""


def format_event(tag: str, text: str) -> str:
    """One event. `text` must be a single line."""
    return f"id: {tag}\nevent: file\ndata: {text}\n\n"


def event_stream(
    subscription: Subscription,
    render: Callable[[FileRow], tuple[str, str]],
    last_event_id: str | None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[str]:
    """Yield the states of a file after `last_event_id`, until it has ended or is deleted.

    `render` returns the text and ETag of a state. With `last_event_id` the first chunk is a keepalive: gunicorn sends
    the response's head with the first chunk, and the client waits for it.
    """
    last = last_event_id
    if last is not None:
        yield KEEPALIVE
    deadline = clock() + STREAM_SECONDS
    while row := subscription.wait_until(partial(_is_new, render, last), KEEPALIVE_SECONDS):
        text, tag = render(row)
        if tag != last:
            yield format_event(tag, text)
        if has_ended(row) or subscription.closed or clock() >= deadline:
            return
        if tag == last:
            yield KEEPALIVE
        last = tag


def _is_new(render: Callable[[FileRow], tuple[str, str]], last: str | None, row: FileRow | None) -> bool:
    """Whether the state differs from `last`, is final, or the file is gone."""
    return row is None or has_ended(row) or render(row)[1] != last
