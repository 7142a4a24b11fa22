"""The contract of every storage, as pytest tests: with it the author of a backend proves it.

    class TestFolder(StorageContract):
        @pytest.fixture
        def storage(self, tmp_path): return FolderStorage(tmp_path)

Not imported by the service, which runs without pytest.
"""

from __future__ import annotations

import os
from itertools import islice

import pytest

from storage.base import Storage, StorageMismatch, StorageMissing
from storage.upload_contract import MIB, UploadContract, pieces


class StorageContract(UploadContract):
    """Promises of `Storage`."""

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, None, "0123456789"),
            (0, 0, ""),
            (0, 1, "0"),
            (0, 2, "01"),
            (0, 4, "0123"),
            (0, 9, "012345678"),
            (0, 10, "0123456789"),
            (0, 11, "0123456789"),
            (1, 1, "1"),
            (1, 9, "123456789"),
            (2, 0, ""),
            (3, None, "3456789"),
            (3, 4, "3456"),
            (8, 9, "89"),
            (9, None, "9"),
            (9, 1, "9"),
        ],
    )
    def test_a_range_can_be_read(
        self, storage: Storage, key: str, start: int, length: int | None, expected: str
    ) -> None:
        storage.put(key, iter([b"01234", b"56789"]), content_type="text/plain")

        assert b"".join(storage.open(key, start, length)).decode() == expected

    def test_a_missing_object_raises_storage_missing(self, storage: Storage, key: str) -> None:
        with pytest.raises(StorageMissing):
            storage.stat(key)
        with pytest.raises(StorageMissing):
            storage.open(key)
        with pytest.raises(StorageMissing):
            storage.open(key, 0, 0)

    @pytest.mark.parametrize(("start", "length"), [(0, None), (0, 0), (0, 4), (3, None), (3, 2)])
    def test_an_object_of_another_size_is_not_opened(
        self, storage: Storage, key: str, start: int, length: int | None
    ) -> None:
        storage.put(key, iter([b"0123456789"]), content_type="text/plain")

        for size in (0, 9, 11):
            with pytest.raises(StorageMismatch):
                storage.open(key, start, length, size=size)
        storage.open(key, start, length, size=10).close()

    @pytest.mark.parametrize("read", [0, 1, 2, 100])
    def test_a_stream_may_be_closed_at_any_time_and_more_than_once(self, storage: Storage, key: str, read: int) -> None:
        body = os.urandom(3 * MIB)
        storage.put(key, pieces(body), content_type="text/plain")

        for _ in range(3):
            stream = storage.open(key)
            begun = b"".join(islice(stream, read))
            stream.close()
            stream.close()
            assert body.startswith(begun)
            assert list(stream) == []
        assert b"".join(storage.open(key)) == body

    def test_delete_is_idempotent(self, storage: Storage, key: str) -> None:
        storage.put(key, iter([b"x"]), content_type="text/plain")
        storage.delete(key)
        storage.delete(key)

        with pytest.raises(StorageMissing):
            storage.stat(key)

    def test_a_listing_has_the_keys_of_its_prefix_in_order(self, storage: Storage, key: str) -> None:
        for end in ("c", "a", "b"):
            storage.put(f"{key}-{end}", iter([end.encode()]), content_type="text/plain")
        storage.put(f"z{key}", iter([b"other"]), content_type="text/plain")

        assert [(found.key[-1], found.size) for found in storage.list_objects(f"{key}-")] == [
            ("a", 1),
            ("b", 1),
            ("c", 1),
        ]
        assert storage.stat(f"z{key}") in list(storage.list_objects())

    def test_a_presigned_url_contains_the_key(self, storage: Storage, key: str) -> None:
        storage.put(key, iter([b"linked"]), content_type="text/plain")

        assert key in storage.presigned_url(key, 60, content_type="text/plain", disposition="attachment")

    def test_all_checks_of_a_healthy_storage_pass(self, storage: Storage) -> None:
        before = list(storage.list_objects())

        assert [check.detail for check in storage.diagnose() if not check.ok] == []
        assert list(storage.list_objects()) == before
