"""When the client sends again, and after which pause: a table."""

from __future__ import annotations

import pytest
from ferry_client.errors import Damaged, FerryError, Unreachable, WrongAddress
from ferry_client.problems import (
    IdempotencyKeyInUse,
    ObjectMissing,
    RequestTimeout,
    StorageDenied,
    StorageMismatch,
    StorageNoBucket,
    StorageRejected,
    TooLarge,
    TooManyUploads,
)
from ferry_client.retries import pause_after, repeated


def answer(status: int, retry_after: float | None = None) -> FerryError:
    return FerryError("x", slug="x", status=status, retry_after=retry_after)


@pytest.mark.parametrize(
    ("error", "failures", "waited", "pause"),
    [
        (Unreachable("x"), 1, 0, 0.5),
        (Unreachable("x"), 2, 0.5, 1),
        (Unreachable("x"), 5, 0, 8),
        (Unreachable("x"), 60, 0, 30),
        (answer(502), 1, 0, 0.5),
        (answer(503), 1, 0, 0.5),
        (answer(408), 1, 0, 0.5),
        (RequestTimeout("x", status=408), 2, 0.5, 1),
        (answer(425), 1, 0, 0.5),
        (WrongAddress("x"), 1, 0, None),
        (answer(504), 1, 0, 0.5),
        (answer(503, retry_after=10), 1, 0, 10.25),
        (IdempotencyKeyInUse("x", status=409, retry_after=5), 1, 0, 5.25),
        (answer(503, retry_after=3600), 1, 0, None),
        (Unreachable("x"), 1, 59.6, None),
        (TooManyUploads("x", status=429, retry_after=2), 1, 300, 2.25),
        (TooManyUploads("x", status=429, retry_after=2), 1, 1199, None),
        (StorageMismatch("x", status=502), 1, 0, 0.5),
        (StorageDenied("x", status=502), 1, 0, None),
        (StorageNoBucket("x", status=502), 1, 0, None),
        (StorageRejected("x", status=502), 1, 0, None),
        (ObjectMissing("x", status=404), 1, 0, None),
        (answer(500), 1, 0, None),
        (answer(409), 1, 0, None),
        (answer(409, retry_after=1), 1, 0, None),
        (TooLarge("x", status=413), 1, 0, None),
        (Damaged("x"), 1, 0, None),
    ],
)
def test_what_may_pass_is_tried_again_after_a_pause(
    error: FerryError, failures: int, waited: float, pause: float | None
) -> None:
    assert pause_after(error, failures, waited, patience=60, luck=1) == pause


def test_clients_that_failed_together_come_again_apart() -> None:
    pauses = {pause_after(Unreachable("x"), 1, 0, 60, luck) for luck in (0, 0.5, 1)}

    assert pauses == {0.25, 0.375, 0.5}


def test_nobody_comes_before_the_server_asks_for_it() -> None:
    pause = pause_after(answer(503, retry_after=2), 1, 0, 60, luck=0)

    assert pause is not None
    assert pause > 2


def test_pauses_end_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("ferry_client.retries.time.sleep", slept.append)
    monkeypatch.setattr("ferry_client.retries.random.random", lambda: 1.0)

    with pytest.raises(Unreachable):
        repeated(failing(Unreachable("x")), patience=20)
    assert slept == [0.5, 1, 2, 4, 8]


def test_what_can_not_be_sent_again_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferry_client.retries.time.sleep", pytest.fail)

    with pytest.raises(Unreachable):
        repeated(failing(Unreachable("x")), 60, again=lambda: False)


def failing(error: FerryError):  # type: ignore[no-untyped-def]
    def call() -> None:
        raise error

    return call
