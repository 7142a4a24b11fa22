"""Real browsers against real Ferry: one Chromium, one foreign site, and one Ferry without and one with keys."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from dev import parts
from tests.browser import chromium, site
from tests.browser.recipes import Place
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


@pytest.fixture(scope="session")
def key_and_ferry(
    browser: Browser, foreign_site: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Stack]]:
    """A key with all scopes, and the Ferry that needs it. It takes files up to 1 MiB, and no ZIP archives."""
    settings = {"CORS_ORIGINS": foreign_site, "MAX_FILE_SIZE": "1MiB", "DENIED_TYPES": "application/zip"}
    with Stack(tmp_path_factory.mktemp("ferry-keys"), settings) as stack:
        argv = [str(parts.BIN / "flask"), "--app", "app", "keys", "create", "--owner", "alice"]
        made = subprocess.run(argv, cwd=parts.ROOT, env=stack.env, capture_output=True, text=True, check=True)
        yield made.stdout.strip(), stack


@pytest.fixture(params=["own-page", "foreign-page"])
def place(request: pytest.FixtureRequest, ferry: Stack, foreign_site: str) -> Place:
    """A page of Ferry's own origin, and of another site. Ferry needs no key."""
    site.require_modules()
    return Place({"own-page": ferry.url, "foreign-page": foreign_site}[request.param], ferry.url, None)


@pytest.fixture(params=["own-page", "foreign-page"])
def place_with_key(request: pytest.FixtureRequest, key_and_ferry: tuple[str, Stack], foreign_site: str) -> Place:
    """The same for a Ferry that requires a key."""
    site.require_modules()
    key, ferry = key_and_ferry
    return Place({"own-page": ferry.url, "foreign-page": foreign_site}[request.param], ferry.url, key)


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
