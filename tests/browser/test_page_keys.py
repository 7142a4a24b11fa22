"""The upload page of a Ferry that requires an API key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.browser.upload_page import Opened, files_of, says
from tests.harness.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


class TestKey:
    def test_a_file_is_uploaded_and_downloaded_with_the_key(
        self, page: Page, keyed: tuple[Stack, str], chosen: Callable[..., Path]
    ) -> None:
        stack, token = keyed
        chosen("mine.txt", url=stack.url)
        page.get_by_label("API key").fill(token)
        page.get_by_role("button", name="Upload and wait").click()
        says(page, "mine.txt: Stored and verified.")
        page.locator(".card").get_by_role("button", name="Get a link to mine.txt").click()
        link = page.locator(".card a")
        link.wait_for()

        assert requests.get(link.get_attribute("href") or "", timeout=10).content == b"xxxxx"
        assert len(files_of(stack, "mine.txt", token)) == 1

    def test_the_key_is_kept_until_the_tab_is_closed(self, page: Page, keyed: tuple[Stack, str]) -> None:
        stack, token = keyed
        page.goto(stack.url)
        page.get_by_label("API key").fill(token)
        page.get_by_role("link", name="Files sent so far").click()
        page.get_by_role("table").wait_for()
        page.reload()
        other = page.context.new_page()
        other.goto(stack.url)

        assert page.get_by_label("API key").input_value() == token
        assert other.get_by_label("API key").input_value() == ""

    def test_a_wrong_key_is_reported_and_not_kept(
        self, page: Page, keyed: tuple[Stack, str], chosen: Callable[..., Path]
    ) -> None:
        chosen("wrong.txt", url=keyed[0].url)
        page.get_by_label("API key").fill("ferry_wrong")
        page.get_by_role("button", name="Upload and wait").click()
        page.get_by_role("alert").filter(has_text="API key required. The API key is unknown").wait_for()
        page.reload()

        assert page.get_by_label("API key").input_value() == ""

    def test_without_javascript_the_page_shows_the_curl_command(self, opened: Opened, keyed: tuple[Stack, str]) -> None:
        page = opened(java_script_enabled=False)
        page.goto(keyed[0].url)

        assert page.get_by_label("API key").is_hidden()
        assert page.get_by_role("button", name="Upload and wait").is_disabled()
        assert f"-F file=@FILE {keyed[0].url}/normal_upload" in page.locator("pre").inner_text()
