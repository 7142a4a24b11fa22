"""The spool: bytes appear whole or not at all, and only under the id of a file."""

from __future__ import annotations

import os

import pytest

from problems import BytesLost
from spool import CHUNK, Spool
from tests.fakes import ID, breaking, chunks


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_spooled_bytes_can_be_read_back(spool: Spool, size: int) -> None:
    body = os.urandom(size)
    spool.write(ID, iter([body[:7], body[7:]]))

    assert b"".join(spool.open(ID)) == body


def test_a_failing_stream_leaves_nothing(spool: Spool) -> None:
    with pytest.raises(ConnectionError):
        spool.write(ID, breaking(b"half", ConnectionError()))

    assert list(spool.folder.iterdir()) == []


def test_a_file_appears_only_when_complete(spool: Spool) -> None:
    def watched():  # type: ignore[no-untyped-def]
        yield b"first"
        assert not spool.path(ID).exists()
        yield b"second"

    spool.write(ID, watched())

    assert spool.path(ID).read_bytes() == b"firstsecond"


def test_a_missing_file_raises_bytes_lost(spool: Spool) -> None:
    with pytest.raises(BytesLost):
        next(spool.open(ID))


NOT_IDS = [
    "",
    ".",
    "..",
    "../ferry.db",
    "/proc/self/environ",
    ".identity",
    "doctor",
    f"{ID}\n",
    f"{ID}.unfinished",
    f"{ID}/../../ferry.db",
    f"../spool/{ID}",
    f"x{ID}",
    ID.upper(),
    ID[:-1],
    ID.replace("-", ""),
    f"{ID}\0",
]


@pytest.mark.parametrize("id", NOT_IDS)
def test_only_an_id_has_a_path(spool: Spool, id: str) -> None:
    """In every method: an id may come from Redis."""
    outside = spool.folder.parent / "ferry.db"
    outside.write_bytes(b"secret")
    spool.folder.mkdir()
    for use in (
        spool.path,
        spool.has,
        spool.delete,
        lambda id: spool.write(id, chunks(5)),
        lambda id: [*spool.open(id)],
    ):
        with pytest.raises(ValueError, match="not the id of a file"):
            use(id)

    assert outside.read_bytes() == b"secret"
    assert list(spool.folder.iterdir()) == []


def test_spool_delete_is_idempotent(spool: Spool) -> None:
    spool.write(ID, chunks(5))
    spool.delete(ID)
    spool.delete(ID)

    assert list(spool.folder.iterdir()) == []


def test_the_spool_is_private_to_its_user(spool: Spool) -> None:
    """With any umask."""
    before = os.umask(0)
    try:
        spool.write(ID, iter([b"x"]))
        assert spool.identity
    finally:
        os.umask(before)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (spool.folder, *spool.folder.iterdir())}
    assert modes == {"spool": 0o700, ID: 0o600, ".identity": 0o600}
