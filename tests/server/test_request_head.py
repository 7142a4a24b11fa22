"""What can be said of a request from the bytes of its head that have come."""

from __future__ import annotations

import pytest

from server.request_head import MAX_HEAD_BYTES, HeadState, head_state

LINE = 100
GET = b"GET / HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("came", "verdict"),
    [
        (None, HeadState.ENDED),
        (b"", HeadState.MORE),
        (b"\r", HeadState.MORE),
        (b"\r\n", HeadState.MORE),
        (b"\r\n" + GET, HeadState.MORE),
        (GET + b"\r\n", HeadState.WHOLE),
        (GET + b"X: y\r\n\r", HeadState.MORE),
        (GET + b"X: y\r\n\r\n", HeadState.WHOLE),
        (GET + b"X: y\r\n\r\nbody\n", HeadState.WHOLE),
        (b"GET / HTTP/1.1\n", HeadState.WHOLE),
        (GET + b"X: y\n", HeadState.WHOLE),
        (b"x" * (LINE + 2), HeadState.MORE),
        (b"x" * (LINE + 3), HeadState.WHOLE),
        (b"x" * LINE + b"\r\n", HeadState.MORE),
        (b"x" * (LINE + 1) + b"\r\n", HeadState.WHOLE),
        (b"\r\n" + b"x" * LINE + b"\r\n", HeadState.MORE),
        (GET + b"x" * (MAX_HEAD_BYTES - len(GET) - 1), HeadState.MORE),
        (GET + b"x" * (MAX_HEAD_BYTES - len(GET)), HeadState.TOO_LARGE),
        (GET + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n", HeadState.WHOLE),
    ],
)
def test_a_thread_gets_what_it_need_not_wait_for(came: bytes | None, verdict: HeadState) -> None:
    assert head_state(came, LINE) is verdict


@pytest.mark.parametrize(
    "head",
    [
        GET + b"X: y\r\n\r\n",
        b"\r\n" + GET + b"X: y\r\n\r\n",
        GET + b"X: y\r\nZ: w\n",
        b"x" * (LINE + 3),
        GET + b"X: y\r\n" * MAX_HEAD_BYTES,
    ],
    ids=["whole", "an empty line in front", "a line that ends in LF", "a long line", "too large"],
)
@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_a_head_in_pieces_is_judged_as_in_one(head: bytes, step: int) -> None:
    if len(head) > MAX_HEAD_BYTES:
        step *= 499
    seen = 0
    for end in range(step, len(head) + step, step):
        verdict = head_state(head[:end], LINE, seen)
        assert verdict is head_state(head[:end], LINE)
        if verdict is not HeadState.MORE:
            break
        seen = len(head[:end])
    assert verdict is not HeadState.MORE
