"""A large file to download."""

from __future__ import annotations

import pytest

from tests.e2e.downloads import LARGE, stored
from tests.harness.stack import Stack


@pytest.fixture(scope="module")
def large(stack: Stack) -> str:
    """The id of a stored file with the bytes of LARGE."""
    return stored(stack, LARGE)
