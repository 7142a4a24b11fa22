"""The memory storage keeps the contract."""

from __future__ import annotations

import pytest

from storage.base import Storage
from storage.memory import MemoryStorage
from tests.storage.contract import StorageContract


class TestMemory(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage()

    def headers_of(self, storage: MemoryStorage, key: str) -> tuple[str | None, str | None]:  # type: ignore[override]
        return storage.headers[key]
