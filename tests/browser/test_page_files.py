"""The page of a file, and the list of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.upload_page import Opened, files_of
from tests.harness.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


class TestFilesPage:
    def test_a_reload_sends_nothing(self, opened: Opened, ferry: Stack, tmp_path: Path) -> None:
        """Without JavaScript the form is answered with 303 and the page of the file."""
        (tmp_path / "plain.txt").write_text("plain")
        page = opened(java_script_enabled=False)
        page.goto(ferry.url)
        page.set_input_files("input[type=file]", tmp_path / "plain.txt")
        page.get_by_role("button", name="Upload and wait").click()
        page.get_by_role("status").filter(has_text="Stored and verified.").wait_for()
        methods: list[str] = []
        page.on("request", lambda request: methods.append(request.method))
        page.reload()

        assert methods[0] == "GET"
        assert "POST" not in methods
        assert len(files_of(ferry, "plain.txt")) == 1

    @pytest.mark.parametrize("javascript", [True, False])
    def test_the_file_page_updates_until_the_file_is_stored(
        self, opened: Opened, own_stack: Stack, javascript: bool
    ) -> None:
        own_stack.stop("worker")
        where = own_stack.upload("celery", b"later", "later.txt").json()["links"]["self"]
        page = opened(java_script_enabled=javascript)
        page.goto(own_stack.url + where)
        assert page.get_by_role("status").inner_text() == "Accepted. Its bytes are safe and wait to be stored."
        own_stack.start("worker")
        page.get_by_role("status").filter(has_text="Stored and verified.").wait_for(timeout=30_000)
        page.get_by_role("link", name="Download").wait_for()


class TestList:
    def test_the_list_is_a_table_of_files(self, page: Page, ferry: Stack, chosen: Callable[..., Path]) -> None:
        name = "<b>listed & sent.txt"
        id = ferry.upload("normal", b"x" * 2048, name).json()["id"]
        page.goto(ferry.url)
        page.get_by_role("link", name="Files sent so far").click()
        row = page.get_by_role("row").nth(1)
        row.wait_for()

        assert [cell.strip() for cell in row.locator("td").all_inner_texts()] == [name, "2.0 KiB", "stored", "Download"]
        assert row.get_by_role("link", name=name).get_attribute("href") == f"/files/{id}"
