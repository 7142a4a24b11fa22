"""Real browsers against real Ferry: one Chromium, one foreign site, and one Ferry without and one with keys."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dev import parts
from tests.browser import chromium, site
from tests.browser.recipes import Place
from tests.browser.upload_page import TIMEOUT_MS, Opened
from tests.harness.stack import Stack

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
    """As `place`, with a Ferry that requires a key."""
    site.require_modules()
    key, ferry = key_and_ferry
    return Place({"own-page": ferry.url, "foreign-page": foreign_site}[request.param], ferry.url, key)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser context without the state of other tests."""
    context = browser.new_context()
    context.set_default_timeout(_TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """An empty tab."""
    return context.new_page()


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """Ferry with default settings and a key, and the key."""
    with Stack(tmp_path_factory.mktemp("keyed")) as stack:
        argv = [str(parts.BIN / "flask"), "--app", "app", "keys", "create", "--owner", "alice"]
        argv += ["--scopes", "upload,read"]
        made = subprocess.run(argv, cwd=parts.ROOT, env=stack.env, capture_output=True, text=True, check=True)
        yield stack, made.stdout.strip()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    """Opens a tab in a new browser context: `opened(java_script_enabled=False)`."""
    contexts: list[BrowserContext] = []

    def open_tab(**options: Any) -> Page:
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(TIMEOUT_MS)
        return contexts[-1].new_page()

    yield open_tab
    for context in contexts:
        context.close()


@pytest.fixture
def chosen(page: Page, ferry: Stack, tmp_path: Path) -> Callable[..., Path]:
    """Opens the upload page and chooses a file: `chosen("a.txt", size=5)`."""

    def choose(name: str = "hello.txt", size: int = 5, url: str = ferry.url) -> Path:
        path = tmp_path / name
        path.write_bytes(b"x" * size)
        page.goto(url)
        page.set_input_files("input[type=file]", path)
        return path

    return choose
