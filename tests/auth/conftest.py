from __future__ import annotations

import pytest
from flask import Flask

from auth import api_keys
from tests.auth.helpers import bearer


@pytest.fixture
def alice(app: Flask) -> dict[str, str]:
    """The headers of a client with all scopes."""
    return bearer(api_keys.create("alice", api_keys.SCOPES, None))


@pytest.fixture
def bob(app: Flask) -> dict[str, str]:
    return bearer(api_keys.create("bob", api_keys.SCOPES, None))
