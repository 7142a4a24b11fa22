"""A file's life as server-sent events (WHATWG HTML, Server-sent events): each state is one, its ETag is the id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from lifecycle.changes import Subscription, has_ended
from models import File

KEEPALIVE = ":\n\n"
"""Says nothing. Written now and then, because only a write finds out that the client has gone."""

KEEPALIVE_SECONDS = 15.0
STREAM_SECONDS = 300.0
"""Seconds after which a stream ends in any case: a page that nobody looks at shall not have a place for ever.

A client that still wants to know asks again, and names the last event that it has.
"""


def format_event(tag: str, text: str) -> str:
    """One event. `text` is a line."""
    return f"id: {tag}\nevent: file\ndata: {text}\n\n"


def event_stream(
    watch: Subscription,
    shown: Callable[[File], tuple[str, str]],
    last: str | None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[str]:
    """The states of a watched file after the one whose tag is `last`, as long as it is there; the final one ends it.

    `shown` gives a state's text and tag. A client that names a `last` hears at once that it is connected: the head of
    an answer leaves with its first piece.
    """
    if last is not None:
        yield KEEPALIVE
    until = clock() + STREAM_SECONDS
    while row := watch.wait_until(partial(_is_news, shown, last), KEEPALIVE_SECONDS):
        text, tag = shown(row)
        if tag != last:
            yield format_event(tag, text)
        if has_ended(row) or watch.closed or clock() >= until:
            return
        if tag == last:
            yield KEEPALIVE
        last = tag


def _is_news(shown: Callable[[File], tuple[str, str]], last: str | None, row: File | None) -> bool:
    """Whether there is something to say other than that nothing has happened."""
    return row is None or has_ended(row) or shown(row)[1] != last
