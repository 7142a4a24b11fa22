"""ZIP archives: members, announced length, refusals, and no stream left open."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.archives import Member, zip_stream
from app import create_app
from auth import api_keys
from storage.base import StorageMismatch, StorageUnavailable
from tests.api.downloads import FILE_HEADERS, FailingDownloads, assert_all_slots_are_free, store
from tests.api.helpers import UNKNOWN, assert_problem
from tests.auth.helpers import bearer
from tests.fakes import breaking
from tests.harness.factories import failed_file, pending_row

GIB = 1 << 30


class Opened:
    """A stream that records whether it is open."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces, self.is_open = iter(pieces), False

    def __call__(self) -> Opened:
        self.is_open = True
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        self.is_open = False


def member(name: str, body: bytes) -> Member:
    return Member("", name, len(body), Opened(body))


@pytest.mark.parametrize(
    "files",
    [
        {"a.txt": b"a"},
        {"empty": b"", "b": b"b" * 100_000},
        {"文 档.pdf": b"1", "ä.txt": b"2", 'quote".txt': b"3"},
        {f"{number}.bin": bytes([number % 256]) for number in range(1000)},
    ],
    ids=["one", "empty", "names", "1000"],
)
def test_an_archive_contains_its_members_and_has_the_announced_length(files: dict[str, bytes]) -> None:
    length, body = zip_stream([member(name, content) for name, content in files.items()])
    made = b"".join(body)

    assert len(made) == length
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.testzip() is None
        found = [archive.read(info) for info in archive.infolist()]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    assert found == list(files.values())


def test_members_are_extracted_inside_the_folder_under_unique_names(tmp_path: Path) -> None:
    _, body = zip_stream([member("../ä.txt", b"one"), member("a.txt", b"two"), member("A.txt", b"three")])
    zipfile.ZipFile(io.BytesIO(b"".join(body))).extractall(tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        ".._ä.txt": b"one", "a.txt": b"two", "A (2).txt": b"three"
    }  # fmt: skip


@pytest.mark.parametrize("read", range(8))
def test_one_member_is_open_at_a_time_and_none_after_the_end(read: int) -> None:
    streams = [Opened(b"1", b"2"), Opened(b"3", b"4")]
    _, body = zip_stream([Member("", "a", 2, streams[0]), Member("", "b", 2, streams[1])])
    for _ in range(read):
        next(body)
        assert [stream.is_open for stream in streams].count(True) <= 1
    body.close()

    assert [stream.is_open for stream in streams] == [False, False]


def test_a_member_that_fails_ends_the_archive_with_its_error() -> None:
    def broken() -> Opened:
        return Opened(b"1", *breaking(b"2", StorageUnavailable()))

    _, body = zip_stream([member("a", b"a"), Member("", "b", 3, broken), member("c", b"c")])
    with pytest.raises(StorageUnavailable):
        list(body)


@pytest.mark.parametrize("size", [1, 3])
def test_a_member_of_another_size_ends_the_archive(size: int) -> None:
    _, body = zip_stream([Member("", "a", size, Opened(b"12"))])

    with pytest.raises(StorageMismatch):
        list(body)


@pytest.mark.long
@pytest.mark.parametrize("size", [2 * GIB - 1, 2 * GIB, 4 * GIB - 1, 4 * GIB])
def test_a_zip64_archive_has_the_announced_length(size: int) -> None:
    """At each limit of 32 bits; the second member starts beyond it."""
    block = bytes(1 << 20)

    def large() -> Opened:
        whole, rest = divmod(size, len(block))
        return Opened(*[block] * whole, block[:rest])()

    length, body = zip_stream([Member("", "large", size, large), member("small", b"small")])
    made = end = b""
    got = 0
    for made in body:
        got += len(made)
        end = (end + made)[-500:]

    assert got == length
    assert b"PK\5\6" in end


def unzipped(answer: TestResponse) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_an_archive_contains_the_files_in_the_requested_order(client: FlaskClient) -> None:
    ids = [store(client, name.encode() * 9, name) for name in ("b.txt", "a.txt", "a.txt")]
    answer = client.get(f"/files.zip?ids={','.join([*ids, ids[0]])}")

    assert list(unzipped(answer).items()) == [
        ("b.txt", b"b.txt" * 9), ("a.txt", b"a.txt" * 9), ("a (2).txt", b"a.txt" * 9)
    ]  # fmt: skip
    expected = FILE_HEADERS | {
        "Content-Type": "application/zip",
        "Content-Disposition": 'attachment; filename="files.zip"',
        "Content-Length": str(len(answer.data)),
    }
    assert expected.items() <= dict(answer.headers).items()
    asked = client.head(f"/files.zip?ids={','.join(ids)}")
    assert (asked.headers["Content-Length"], asked.data) == (answer.headers["Content-Length"], b"")


def test_an_archive_by_prefix_contains_the_files_whose_names_start_with_it(client: FlaskClient) -> None:
    for name in ("jan-1.txt", "jan-2.txt", "JAN-3.txt", "jan_4.txt", "feb.txt", "ä%.txt", "ab.txt"):
        store(client, b"x", name)
    failed_file(name="jan-9.txt")

    assert set(unzipped(client.get("/files.zip?prefix=jan-"))) == {"jan-1.txt", "jan-2.txt"}
    assert set(unzipped(client.get("/files.zip?prefix=a%CC%88%25"))) == {"ä%.txt"}
    assert_problem(client.get("/files.zip?prefix=%25"), 404, "not-found")
    late = pending_row(name="feb-2.txt")
    assert client.get("/files.zip?prefix=feb").get_json()["ids"] == [late.id]


def test_an_archive_by_prefix_contains_only_the_owners_files(client: FlaskClient) -> None:
    alice, bob = (bearer(api_keys.create(name, api_keys.SCOPES, None)) for name in ("alice", "bob"))
    store(client, **alice)

    assert client.get("/files.zip?prefix=a", headers=alice).status_code == 200
    assert_problem(client.get("/files.zip?prefix=a", headers=bob), 404, "not-found")


def test_a_refused_archive_lists_the_missing_files(client: FlaskClient) -> None:
    there, late = store(client), pending_row()

    unknown = client.get(f"/files.zip?ids={there},{UNKNOWN},abc,{late.id}")
    assert_problem(unknown, 404, "not-found")
    assert unknown.get_json()["ids"] == [UNKNOWN, "abc"]
    answer = client.get(f"/files.zip?ids={there},{late.id}")
    assert (answer.status_code, answer.get_json()["ids"]) == (409, [late.id])


@pytest.mark.parametrize(
    "query", ["", "ids=a&prefix=b", "prefix=", "prefix=%00", "ids=" + ",".join(map(str, range(1001)))]
)
def test_an_archive_without_files_or_with_too_many_is_refused(client: FlaskClient, query: str) -> None:
    assert_problem(client.get(f"/files.zip?{query}"), 400, "invalid-parameter")


def test_a_failed_member_cuts_the_archive_and_releases_everything(app: Flask, settings: dict[str, str]) -> None:
    failing = FailingDownloads(None)
    client = create_app(settings, {"storage": failing}).test_client()
    ids = [store(client, bytes(100_000), name) for name in ("a", "b")]
    failing.sent, failing.more = 99_000, b""

    answer = client.get(f"/files.zip?ids={','.join(ids)}")
    with pytest.raises(ConnectionResetError):
        list(answer.iter_encoded())
    answer.close()
    assert failing.closed == 1
    assert_all_slots_are_free(client)
