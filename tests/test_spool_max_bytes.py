"""SPOOL_MAX_BYTES: how many bytes may wait, in all and of one client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import uuid_utils

from problems import SpoolLimitReached
from spool import Spool
from tests.fakes import breaking, chunks, unread

ids = [str(uuid_utils.uuid7()) for _ in range(3)]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """A spool for at most 100 bytes."""
    return Spool(tmp_path / "spool", 100)


def test_a_file_beyond_the_budget_is_rejected_unread(spool: Spool) -> None:
    spool.write(ids[0], iter([bytes(60)]), max_bytes=60)
    with pytest.raises(SpoolLimitReached):
        spool.write(ids[1], unread(), max_bytes=41)
    spool.write(ids[2], iter([bytes(40)]), max_bytes=40)

    assert {spooled.id for spooled in spool.files()} == {ids[0], ids[2]}


def test_deleted_files_free_the_budget(spool: Spool) -> None:
    spool.write(ids[0], iter([bytes(60)]), max_bytes=60)
    spool.delete(ids[0])
    forget_sizes(spool)
    spool.write(ids[1], iter([bytes(60)]), max_bytes=60)


def test_files_of_other_processes_count(spool: Spool) -> None:
    Spool(spool.folder).write(ids[0], iter([bytes(60)]))
    with pytest.raises(SpoolLimitReached):
        spool.write(ids[1], unread(), max_bytes=41)


def test_a_stream_of_unknown_length_is_stopped_at_the_budget(spool: Spool) -> None:
    with pytest.raises(SpoolLimitReached):
        spool.write(ids[0], chunks(60, 60))
    assert list(spool.files()) == []
    spool.write(ids[0], chunks(60, 40))


def test_a_running_upload_counts_by_received_bytes(spool: Spool) -> None:
    """And one reservation step, of 6 bytes here."""

    def watched() -> Iterator[bytes]:
        yield bytes(30)
        with pytest.raises(SpoolLimitReached):
            spool.write(ids[1], unread(), max_bytes=65, client="b")
        spool.write(ids[1], iter([bytes(64)]), max_bytes=64, client="b")
        yield bytes(7)

    with pytest.raises(SpoolLimitReached):
        spool.write(ids[0], watched(), max_bytes=100, client="a")
    assert [(spooled.id, spooled.size, spooled.complete) for spooled in spool.files()] == [(ids[1], 64, True)]


def test_one_client_leaves_half_the_budget_to_others(spool: Spool) -> None:
    def watched() -> Iterator[bytes]:
        yield bytes(30)
        with pytest.raises(SpoolLimitReached):
            spool.write(ids[1], unread(), max_bytes=15, client="a")
        with pytest.raises(SpoolLimitReached):
            spool.write(ids[1], chunks(10, 10), client="a")
        spool.write(ids[1], iter([bytes(50)]), max_bytes=50, client="b")

    spool.write(ids[0], watched(), max_bytes=100, client="a")
    assert {(spooled.id, spooled.size) for spooled in spool.files()} == {(ids[0], 30), (ids[1], 50)}


def test_a_file_larger_than_half_the_budget_is_accepted_alone(spool: Spool) -> None:
    def watched() -> Iterator[bytes]:
        yield bytes(40)
        spool.write(ids[1], iter([b"x"]), max_bytes=1, client="a")
        yield bytes(59)

    spool.write(ids[0], watched(), max_bytes=99, client="a")


def test_a_failed_upload_frees_its_budget(spool: Spool) -> None:
    for _ in range(3):
        with pytest.raises(ConnectionError):
            spool.write(ids[0], breaking(b"half", ConnectionError()), max_bytes=90)
        forget_sizes(spool)
    spool.write(ids[1], iter([bytes(100)]), max_bytes=100)


def forget_sizes(spool: Spool) -> None:
    """Have the folder measured again, as after a second."""
    assert spool._budget
    spool._budget._measured_at = -10
