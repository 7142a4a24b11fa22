"""The events of a file: each state once, in order, and an end."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import pytest

from api.events import KEEPALIVE, event_stream, format_event
from lifecycle.changes import Subscription
from models import File, UploadStatus

PENDING, PROCESSING, COMPLETE, ERROR = UploadStatus


class Seen(Subscription):
    """A watch that sees these states, one a look, and a clock that counts `seconds` a look."""

    closed = False

    def __init__(self, *states: UploadStatus | None, seconds: float = 1.0, over_at: float = 1e9) -> None:
        self._rows = [state and File(upload_status=state) for state in states]
        self._seconds, self._over_at, self.now = seconds, over_at, 0.0
        self.waits: list[float] = []

    def wait_until(self, done: Callable[[File | None], bool], seconds: float) -> File | None:
        self.waits.append(seconds)
        self.now += self._seconds
        self.closed = self.now >= self._over_at  # type: ignore[misc]
        row = self._rows.pop(0) if len(self._rows) > 1 else self._rows[0]
        self.was_done = done(row)
        return row

    def clock(self) -> float:
        return self.now


def shown(row: File) -> tuple[str, str]:
    return f'{{"status":"{row.upload_status}"}}', f"tag-{row.upload_status}"


def told(seen: Seen, last: str | None = None) -> list[str]:
    found = []
    for text in event_stream(seen, shown, last, seen.clock):
        found.append(text)
        assert len(found) < 1000
    return found


def states(*expected: UploadStatus) -> list[str]:
    return [format_event(f"tag-{state}", f'{{"status":"{state}"}}') for state in expected]


def test_an_event_has_an_id_a_name_and_its_data() -> None:
    assert format_event("7", '{"a":1}') == 'id: 7\nevent: file\ndata: {"a":1}\n\n'


@pytest.mark.parametrize("end", [COMPLETE, ERROR])
def test_each_state_is_told_once_and_the_final_one_ends(end: UploadStatus) -> None:
    assert told(Seen(PENDING, PROCESSING, end, PENDING)) == states(PENDING, PROCESSING, end)


def test_what_the_client_has_already_is_not_told_again() -> None:
    assert told(Seen(PROCESSING, COMPLETE), "tag-PROCESSING") == [KEEPALIVE, KEEPALIVE, *states(COMPLETE)]


def test_what_the_client_has_and_is_not_any_more_is_told() -> None:
    assert told(Seen(PROCESSING, COMPLETE), "tag-PENDING") == [KEEPALIVE, *states(PROCESSING, COMPLETE)]


def test_who_comes_back_is_answered_before_there_is_changed() -> None:
    seen = Seen(PENDING)

    assert next(event_stream(seen, shown, "tag-PENDING", seen.clock)) == KEEPALIVE
    assert seen.waits == []


def test_a_quiet_stream_is_written_to_now_and_then() -> None:
    seen = Seen(PENDING, PENDING, PENDING, COMPLETE)

    assert told(seen) == [*states(PENDING), KEEPALIVE, KEEPALIVE, *states(COMPLETE)]
    assert set(seen.waits) == {15.0}


def test_a_file_that_is_deleted_ends_its_stream() -> None:
    assert told(Seen(PENDING, None)) == states(PENDING)


def test_a_stop_ends_the_stream_after_what_is_known() -> None:
    assert told(Seen(PENDING, PENDING, over_at=1)) == states(PENDING)


def test_no_stream_is_for_ever() -> None:
    comments = told(Seen(PENDING, seconds=15.0), "tag-PENDING")

    assert comments == [KEEPALIVE] * 20


def test_only_changed_wakes_the_stream() -> None:
    for states_, last, done in (((PENDING,), "tag-PENDING", False), ((PENDING,), None, True), ((None,), "x", True),
                                ((COMPLETE,), "tag-COMPLETE", True)):  # fmt: skip
        seen = Seen(*states_)
        events = event_stream(seen, shown, last, seen.clock)
        list(islice(events, 1 if last is None else 2))
        assert seen.was_done == done
