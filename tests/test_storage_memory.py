"""The memory storage keeps the contract."""

from __future__ import annotations

import pytest

from storage.base import Storage
from storage.memory import MemoryStorage
from tests.storage_contract import StorageContract


class TestMemory(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage()
