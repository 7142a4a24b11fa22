"""Retry policy: which errors are retried, and after which delay."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ferry_client.errors import ChecksumMismatch, ConnectionFailed, FerryError, WrongAddress
from ferry_client.problems import (
    KINDS,
    IdempotencyKeyInUse,
    ObjectMissing,
    RequestTimeout,
    StorageMismatch,
    TooLarge,
    TooManyUploads,
)
from ferry_client.retries import is_retryable, retry_delay, with_retries

from storage.base import StorageError


def response(status: int, retry_after: float | None = None) -> FerryError:
    return FerryError("x", slug="x", status=status, retry_after=retry_after)


@pytest.mark.parametrize(
    ("error", "failures", "elapsed", "delay"),
    [
        (ConnectionFailed("x"), 1, 0, 0.5),
        (ConnectionFailed("x"), 2, 0.5, 1),
        (ConnectionFailed("x"), 5, 0, 8),
        (ConnectionFailed("x"), 60, 0, 30),
        (response(502), 1, 0, 0.5),
        (response(503), 1, 0, 0.5),
        (response(408), 1, 0, 0.5),
        (RequestTimeout("x", status=408), 2, 0.5, 1),
        (response(425), 1, 0, 0.5),
        (WrongAddress("x"), 1, 0, None),
        (response(504), 1, 0, 0.5),
        (response(503, retry_after=10), 1, 0, 10.25),
        (IdempotencyKeyInUse("x", status=409, retry_after=5), 1, 0, 5.25),
        (response(503, retry_after=3600), 1, 0, None),
        (ConnectionFailed("x"), 1, 59.6, None),
        (TooManyUploads("x", status=429, retry_after=2), 1, 300, 2.25),
        (TooManyUploads("x", status=429, retry_after=2), 1, 1199, None),
        (StorageMismatch("x", status=502), 1, 0, 0.5),
        (ObjectMissing("x", status=404), 1, 0, None),
        (response(500), 1, 0, None),
        (response(507, retry_after=1), 1, 0, None),
        (response(409), 1, 0, None),
        (response(409, retry_after=1), 1, 0, None),
        (TooLarge("x", status=413), 1, 0, None),
        (ChecksumMismatch("x"), 1, 0, None),
    ],
)
def test_retry_delay(error: FerryError, failures: int, elapsed: float, delay: float | None) -> None:
    assert retry_delay(error, failures, elapsed, max_retry_seconds=60, jitter=1) == delay


@pytest.mark.parametrize(
    "slug",
    [
        "storage-denied", "storage-missing", "storage-no-bucket", "storage-rejected", "storage-unsupported",
        "storage-wrong-region",
    ],
)  # fmt: skip
def test_a_storage_error_for_the_operator_is_not_retried(slug: str) -> None:
    assert not is_retryable(KINDS[slug]("x", status=502))


@pytest.mark.parametrize(
    "kind", [kind for kind in StorageError.__subclasses__() if kind.__module__ == StorageError.__module__]
)
def test_a_storage_error_is_retried_unless_it_is_permanent(kind: type[StorageError]) -> None:
    assert is_retryable(KINDS[kind.slug()]("x", status=kind.status)) is not kind.permanent


def test_jitter_spreads_retries() -> None:
    delays = {retry_delay(ConnectionFailed("x"), 1, 0, 60, jitter) for jitter in (0, 0.5, 1)}

    assert delays == {0.25, 0.375, 0.5}


def test_the_delay_is_at_least_retry_after() -> None:
    delay = retry_delay(response(503, retry_after=2), 1, 0, 60, jitter=0)

    assert delay is not None
    assert delay > 2


def test_retries_end_after_max_retry_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr("ferry_client.retries.time.sleep", sleeps.append)
    monkeypatch.setattr("ferry_client.retries.random.random", lambda: 1.0)

    with pytest.raises(ConnectionFailed):
        with_retries(failing(ConnectionFailed("x")), max_retry_seconds=20)
    assert sleeps == [0.5, 1, 2, 4, 8]


def test_a_request_that_can_not_be_repeated_is_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferry_client.retries.time.sleep", pytest.fail)

    with pytest.raises(ConnectionFailed):
        with_retries(failing(ConnectionFailed("x")), 60, can_retry=lambda: False)


def failing(error: FerryError) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call
