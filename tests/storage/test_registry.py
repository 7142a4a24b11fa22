"""The backends in the registry have one shape."""

from __future__ import annotations

import pytest

from config import Config
from storage.base import Storage
from storage.registry import BACKENDS, create


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_has_the_methods_of_the_interface_in_their_order(name: str) -> None:
    config = Config.from_env({"STORAGE": name})
    methods = [name for name, member in vars(Storage).items() if getattr(member, "__isabstractmethod__", False)]

    storage = create(config.storage, config.storage_settings)
    assert [name for name in vars(type(storage)) if name in methods] == methods
