"""Real browsers against real Ferry: one Chromium, one foreign site, and one Ferry without and one with keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import chromium, site
from tests.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

_TIMEOUT_MS = 15_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium. Each test has a context of its own: `page`."""
    with chromium.started() as browser:
        yield browser


@pytest.fixture(scope="session")
def foreign_site() -> Iterator[str]:
    """The origin of another web site, which CORS_ORIGINS names."""
    with site.served() as origin:
        yield origin


@pytest.fixture(scope="session")
def ferry(browser: Browser, foreign_site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of Ferry, without a key."""
    with Stack(tmp_path_factory.mktemp("ferry"), {"CORS_ORIGINS": foreign_site}) as stack:
        yield stack


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that knows nothing of the other tests'."""
    context = browser.new_context()
    context.set_default_timeout(_TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """An empty tab."""
    return context.new_page()
