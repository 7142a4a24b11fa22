"""What can be said of a request from the bytes of its head that have come."""

from __future__ import annotations

import pytest

from server.head import MOST, Verdict, judge

LINE = 100
GET = b"GET / HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("came", "verdict"),
    [
        (None, Verdict.ENDED),
        (b"", Verdict.MORE),
        (b"\r", Verdict.MORE),
        (b"\r\n", Verdict.MORE),
        (b"\r\n" + GET, Verdict.MORE),
        (GET + b"\r\n", Verdict.WHOLE),
        (GET + b"X: y\r\n\r", Verdict.MORE),
        (GET + b"X: y\r\n\r\n", Verdict.WHOLE),
        (GET + b"X: y\r\n\r\nbody\n", Verdict.WHOLE),
        (b"GET / HTTP/1.1\n", Verdict.WHOLE),
        (GET + b"X: y\n", Verdict.WHOLE),
        (b"x" * (LINE + 2), Verdict.MORE),
        (b"x" * (LINE + 3), Verdict.WHOLE),
        (b"x" * LINE + b"\r\n", Verdict.MORE),
        (b"x" * (LINE + 1) + b"\r\n", Verdict.WHOLE),
        (b"\r\n" + b"x" * LINE + b"\r\n", Verdict.MORE),
        (GET + b"x" * (MOST - len(GET) - 1), Verdict.MORE),
        (GET + b"x" * (MOST - len(GET)), Verdict.TOO_LARGE),
        (GET + b"x" * MOST + b"\r\n\r\n", Verdict.WHOLE),
    ],
)
def test_a_thread_gets_what_it_need_not_wait_for(came: bytes | None, verdict: Verdict) -> None:
    assert judge(came, LINE) is verdict


@pytest.mark.parametrize(
    "head",
    [
        GET + b"X: y\r\n\r\n",
        b"\r\n" + GET + b"X: y\r\n\r\n",
        GET + b"X: y\r\nZ: w\n",
        b"x" * (LINE + 3),
        GET + b"X: y\r\n" * MOST,
    ],
    ids=["whole", "an empty line in front", "a line that ends in LF", "a long line", "too large"],
)
@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_a_head_in_pieces_is_judged_as_in_one(head: bytes, step: int) -> None:
    if len(head) > MOST:
        step *= 499
    seen = 0
    for end in range(step, len(head) + step, step):
        verdict = judge(head[:end], LINE, seen)
        assert verdict is judge(head[:end], LINE)
        if verdict is not Verdict.MORE:
            break
        seen = len(head[:end])
    assert verdict is not Verdict.MORE
