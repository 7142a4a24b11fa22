"""The pause between two attempts."""

from __future__ import annotations

import pytest

import file
from lifecycle.attempts import retry_delay
from problems import BytesDamaged, BytesLost
from storage.base import StorageDenied, StorageMismatch, StorageNoBucket, StorageRejected, StorageUnavailable


@pytest.mark.parametrize(
    ("mode", "error", "attempt", "pause"),
    [
        ("normal", StorageUnavailable(), 1, None),
        ("async", StorageUnavailable(), 1, 5),
        ("async", StorageUnavailable(), 2, 10),
        ("celery", StorageMismatch(), 3, 20),
        ("celery", BytesDamaged(), 1, 5),
        ("async", ValueError(), 4, 40),
        ("async", StorageUnavailable(), 5, None),
        ("async", StorageUnavailable(), 6, None),
        ("async", StorageDenied(), 1, None),
        ("celery", StorageNoBucket(), 1, None),
        ("async", StorageRejected(), 1, None),
        ("async", BytesLost(), 1, None),
    ],
)
def test_the_pause_after_a_failed_attempt(mode: file.Mode, error: Exception, attempt: int, pause: float | None) -> None:
    assert retry_delay(mode, error, attempt, max_attempts=5, base_delay=5) == pause


def test_pauses_grow_to_15_minutes() -> None:
    assert retry_delay("async", StorageUnavailable(), 40, max_attempts=99, base_delay=5) == 900
