"""Wrong bytes in the storage: they are deleted unless another attempt overwrites them."""

from __future__ import annotations

import pytest

import file
from lifecycle import attempts, transitions
from models import FileRow, UploadStatus
from storage.base import Stat, StorageMismatch
from storage.memory import MemoryStorage
from tests.harness.factories import BODY, reload


class CorruptingStorage(MemoryStorage):
    """Stores other bytes than it is given, and detects it."""

    def store(self, key: str, body: bytes, headers: tuple[str, str | None]) -> Stat:
        super().store(key, body[::-1], headers)
        raise StorageMismatch


@pytest.fixture
def storage() -> CorruptingStorage:
    return CorruptingStorage()


def test_wrong_bytes_are_deleted_if_no_attempt_follows(storage: CorruptingStorage, claimed: FileRow) -> None:
    with pytest.raises(StorageMismatch):
        file.store(claimed, iter([BODY]))

    assert reload(claimed).upload_status == UploadStatus.ERROR
    assert list(storage.list_objects()) == []


def test_wrong_bytes_stay_for_the_next_attempt_and_are_deleted_after_the_last(
    storage: CorruptingStorage, pending: FileRow
) -> None:
    for attempt in range(1, 6):
        file.upload_file(pending.id)
        assert len(list(storage.list_objects())) == (1 if attempt < 5 else 0)

    assert (reload(pending).upload_status, reload(pending).attempt) == (UploadStatus.ERROR, 5)


def test_a_worker_that_lost_its_claim_deletes_no_object(storage: CorruptingStorage, claimed: FileRow) -> None:
    """The object may be the correct one of the next attempt by now."""
    storage._objects[claimed.key] = BODY
    transitions.set_error(reload(claimed), "server-stopped")
    attempts.fail(claimed, StorageMismatch())

    assert [stat.key for stat in storage.list_objects()] == [claimed.key]
