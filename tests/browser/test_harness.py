"""Checks of the test tools: the page works in the browser, the other site is cross-site, axe finds violations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.axe import violations
from tests.browser.chromium import watch
from tests.browser.site import require_modules
from tests.harness.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_the_page_sends_a_file(page: Page, ferry: Stack, tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_text("hello")
    page.goto(ferry.url)
    page.set_input_files("input[type=file]", tmp_path / "hello.txt")
    with page.expect_response(lambda answer: answer.request.method == "POST") as answer:
        page.locator("form button").first.click()

    assert answer.value.status in (201, 202, 303)


def test_the_foreign_site_is_cross_site(page: Page, ferry: Stack, foreign_site: str) -> None:
    page.goto(f"{foreign_site}/pages/blank.html")
    with page.expect_request(f"{ferry.url}/**") as sent:
        assert page.evaluate(f"fetch('{ferry.url}/files').then(answer => answer.status)") == 200

    assert sent.value.all_headers()["sec-fetch-site"] == "cross-site"
    assert sent.value.all_headers()["origin"] == foreign_site


def test_a_site_that_is_not_named_is_refused(page: Page, ferry: Stack, foreign_site: str) -> None:
    said = watch(page)
    page.goto(f"{foreign_site.replace('localhost', '127.0.0.1')}/pages/blank.html")

    assert page.evaluate(f"fetch('{ferry.url}/files').then(() => 'seen', () => 'refused')") == "refused"
    assert any("blocked by CORS policy" in line for line in said)


def test_axe_finds_an_image_without_alt_text(page: Page) -> None:
    require_modules()
    page.set_content("<html lang=en><title>t</title><main><h1>h</h1><img src='data:,'></main>")

    assert violations(page) == ["image-alt: img"]
