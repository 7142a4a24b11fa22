"""Accessibility of all pages: WCAG 2.2 AA, in light and dark, on a phone and a desktop."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.browser.axe import violations
from tests.browser.upload_page import HALF_WAY, LARGE, Opened, cut_short, says, slow_down, until
from tests.harness.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def unscripted(page: str) -> str:
    """The page without its scripts and with the content of `noscript`."""
    return re.sub(r"<script.*?</script>|</?noscript>", "", page, flags=re.DOTALL)


@pytest.fixture(params=[320, 1280])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.mark.parametrize("scheme", ["light", "dark"])
class TestAccessibility:
    """WCAG 2.2 AA as far as axe checks it, and 1.4.10: no horizontal scrolling at 320 px."""

    @pytest.fixture
    def page(self, opened: Opened, width: int, scheme: Any) -> Page:
        return opened(viewport={"width": width, "height": 640}, color_scheme=scheme)

    def assert_accessible(self, page: Page) -> None:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")

    def test_the_upload_page_and_the_list(self, page: Page, ferry: Stack, chosen: Callable[..., Path]) -> None:
        cut_short(ferry, f"cut-{uuid4().hex}.txt")
        page.goto(ferry.url)
        self.assert_accessible(page)
        chosen(f"{'long' * 40}.txt")
        page.get_by_role("button", name="Upload and wait").click()
        says(page, "Stored and verified.")
        page.get_by_role("link", name="Files sent so far").click()
        page.get_by_role("table").wait_for()
        self.assert_accessible(page)

    def test_the_page_during_an_upload_and_after_an_error(
        self, page: Page, ferry: Stack, chosen: Callable[..., Path]
    ) -> None:
        chosen("sending.bin", LARGE)
        slow_down(page)
        page.get_by_role("button", name="Upload and wait").click()
        until(page, HALF_WAY)
        self.assert_accessible(page)
        page.route("**/async_upload", lambda route: route.abort())
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Upload in the background").click()
        page.get_by_role("alert").filter(has_text="No answer came").wait_for()
        self.assert_accessible(page)

    def test_the_page_with_a_key(self, page: Page, keyed: tuple[Stack, str], chosen: Callable[..., Path]) -> None:
        stack, token = keyed
        chosen("mine.txt", url=stack.url)
        self.assert_accessible(page)
        page.get_by_label("API key").fill(token)
        page.get_by_role("button", name="Upload and wait").click()
        says(page, "Stored and verified.")
        page.get_by_role("link", name="Files sent so far").click()
        page.get_by_role("table").wait_for()
        self.assert_accessible(page)

    def test_the_page_with_a_key_and_without_javascript(self, page: Page, keyed: tuple[Stack, str]) -> None:
        """axe needs JavaScript: the page is served without its scripts and with the content of `noscript`."""
        page.route(
            f"{keyed[0].url}/",
            lambda route: route.fulfill(response=(answer := route.fetch()), body=unscripted(answer.text())),
        )
        page.goto(keyed[0].url)
        page.get_by_text("A form can't send an API key").wait_for()
        self.assert_accessible(page)

    def test_the_page_of_a_file(self, page: Page, ferry: Stack) -> None:
        where = ferry.upload("normal", b"x", f"{'name' * 40}.txt").json()["links"]["self"]
        page.goto(ferry.url + where)
        self.assert_accessible(page)

    def test_the_api_reference(self, page: Page, ferry: Stack, width: int) -> None:
        page.goto(f"{ferry.url}/docs")
        self.assert_accessible(page)
        assert page.get_by_role("heading", level=1).bounding_box()["y"] < 200  # type: ignore[index]
