"""The state of a request head from the bytes that have arrived."""

from __future__ import annotations

import pytest

from server.request_head import MAX_HEAD_BYTES, HeadState, head_state

LINE = 100
GET = b"GET / HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (None, HeadState.DISCONNECTED),
        (b"", HeadState.INCOMPLETE),
        (b"\r", HeadState.INCOMPLETE),
        (b"\r\n", HeadState.INCOMPLETE),
        (b"\r\n" + GET, HeadState.INCOMPLETE),
        (GET + b"\r\n", HeadState.PARSABLE),
        (GET + b"X: y\r\n\r", HeadState.INCOMPLETE),
        (GET + b"X: y\r\n\r\n", HeadState.PARSABLE),
        (GET + b"X: y\r\n\r\nbody\n", HeadState.PARSABLE),
        (b"GET / HTTP/1.1\n", HeadState.PARSABLE),
        (GET + b"X: y\n", HeadState.PARSABLE),
        (b"x" * (LINE + 2), HeadState.INCOMPLETE),
        (b"x" * (LINE + 3), HeadState.PARSABLE),
        (b"x" * LINE + b"\r\n", HeadState.INCOMPLETE),
        (b"x" * (LINE + 1) + b"\r\n", HeadState.PARSABLE),
        (b"\r\n" + b"x" * LINE + b"\r\n", HeadState.INCOMPLETE),
        (GET + b"x" * (MAX_HEAD_BYTES - len(GET) - 1), HeadState.INCOMPLETE),
        (GET + b"x" * (MAX_HEAD_BYTES - len(GET)), HeadState.TOO_LARGE),
        (GET + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n", HeadState.PARSABLE),
    ],
)
def test_state_of_a_head(head: bytes | None, expected: HeadState) -> None:
    assert head_state(head, LINE) is expected


@pytest.mark.parametrize(
    "head",
    [
        GET + b"X: y\r\n\r\n",
        b"\r\n" + GET + b"X: y\r\n\r\n",
        GET + b"X: y\r\nZ: w\n",
        b"x" * (LINE + 3),
        GET + b"X: y\r\n" * MAX_HEAD_BYTES,
    ],
    ids=["complete", "an empty line in front", "a line that ends in LF", "a long line", "too large"],
)
@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_a_head_in_chunks_has_the_same_state(head: bytes, step: int) -> None:
    if len(head) > MAX_HEAD_BYTES:
        step *= 499
    scanned = 0
    for end in range(step, len(head) + step, step):
        state = head_state(head[:end], LINE, scanned)
        assert state is head_state(head[:end], LINE)
        if state is not HeadState.INCOMPLETE:
            break
        scanned = len(head[:end])
    assert state is not HeadState.INCOMPLETE
