"""The event stream of a file: each state once, in order, until the final one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import pytest

from api.events import KEEPALIVE, event_stream, format_event
from lifecycle.changes import Subscription
from models import FileRow, UploadStatus
from tests.harness.factories import file_value

PENDING, PROCESSING, COMPLETE, ERROR = UploadStatus


class ScriptedSubscription(Subscription):
    """A subscription that returns these states, one per wait, and a clock that advances by `seconds` per wait."""

    closed = False

    def __init__(self, *states: UploadStatus | None, seconds: float = 1.0, over_at: float = 1e9) -> None:
        self._rows = [state and file_value(state) for state in states]
        self._seconds, self._over_at, self.now = seconds, over_at, 0.0
        self.waits: list[float] = []

    def wait_until(self, done: Callable[[FileRow | None], bool], seconds: float) -> FileRow | None:
        self.waits.append(seconds)
        self.now += self._seconds
        self.closed = self.now >= self._over_at  # type: ignore[misc]
        row = self._rows.pop(0) if len(self._rows) > 1 else self._rows[0]
        self.was_done = done(row)
        return row

    def clock(self) -> float:
        return self.now


def serialize(row: FileRow) -> tuple[str, str]:
    return f'{{"status":"{row.upload_status}"}}', f"tag-{row.upload_status}"


def sent(subscription: ScriptedSubscription, last: str | None = None) -> list[str]:
    found = []
    for text in event_stream(subscription, serialize, last, subscription.clock):
        found.append(text)
        assert len(found) < 1000
    return found


def states(*expected: UploadStatus) -> list[str]:
    return [format_event(f"tag-{state}", f'{{"status":"{state}"}}') for state in expected]


def test_an_event_has_an_id_a_name_and_its_data() -> None:
    assert format_event("7", '{"a":1}') == 'id: 7\nevent: file\ndata: {"a":1}\n\n'


@pytest.mark.parametrize("end", [COMPLETE, ERROR])
def test_each_state_is_sent_once_and_the_final_one_ends_the_stream(end: UploadStatus) -> None:
    assert sent(ScriptedSubscription(PENDING, PROCESSING, end, PENDING)) == states(PENDING, PROCESSING, end)


def test_the_last_received_state_is_not_sent_again() -> None:
    assert sent(ScriptedSubscription(PROCESSING, COMPLETE), "tag-PROCESSING") == [
        KEEPALIVE,
        KEEPALIVE,
        *states(COMPLETE),
    ]


def test_a_state_other_than_the_last_received_is_sent() -> None:
    assert sent(ScriptedSubscription(PROCESSING, COMPLETE), "tag-PENDING") == [KEEPALIVE, *states(PROCESSING, COMPLETE)]


def test_a_reconnect_is_answered_before_the_next_change() -> None:
    subscription = ScriptedSubscription(PENDING)

    assert next(event_stream(subscription, serialize, "tag-PENDING", subscription.clock)) == KEEPALIVE
    assert subscription.waits == []


def test_a_quiet_stream_sends_keepalives() -> None:
    subscription = ScriptedSubscription(PENDING, PENDING, PENDING, COMPLETE)

    assert sent(subscription) == [*states(PENDING), KEEPALIVE, KEEPALIVE, *states(COMPLETE)]
    assert set(subscription.waits) == {15.0}


def test_a_file_that_is_deleted_ends_its_stream() -> None:
    assert sent(ScriptedSubscription(PENDING, None)) == states(PENDING)


def test_a_shutdown_ends_the_stream_after_the_known_state() -> None:
    assert sent(ScriptedSubscription(PENDING, PENDING, over_at=1)) == states(PENDING)


def test_a_stream_ends_after_its_maximum_duration() -> None:
    comments = sent(ScriptedSubscription(PENDING, seconds=15.0), "tag-PENDING")

    assert comments == [KEEPALIVE] * 20


def test_only_an_unsent_state_wakes_the_stream() -> None:
    for states_, last, done in (((PENDING,), "tag-PENDING", False), ((PENDING,), None, True), ((None,), "x", True),
                                ((COMPLETE,), "tag-COMPLETE", True)):  # fmt: skip
        subscription = ScriptedSubscription(*states_)
        events = event_stream(subscription, serialize, last, subscription.clock)
        list(islice(events, 1 if last is None else 2))
        assert subscription.was_done == done
