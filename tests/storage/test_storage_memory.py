"""The memory storage keeps the contract."""

from __future__ import annotations

import pytest

from storage.contract import StorageContract
from storage.memory import MemoryStorage


class TestMemory(StorageContract):
    @pytest.fixture
    def storage(self) -> MemoryStorage:
        return MemoryStorage()

    def headers_of(self, storage: MemoryStorage, key: str) -> tuple[str | None, str | None]:
        return storage.headers[key]
