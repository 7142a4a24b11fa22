"""The upload page: sending by mouse, keyboard and drop; refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import watch
from tests.browser.upload_page import HALF_WAY, LARGE, files_of, lose_first_response, says, slow_down, until
from tests.harness.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


class TestSending:
    def test_the_result_is_a_card_with_links_to_the_file(self, page: Page, chosen: Callable[..., Path]) -> None:
        said = watch(page)
        chosen("card.txt")
        page.get_by_role("button", name="Upload and wait").click()
        says(page, "card.txt: Stored and verified.")
        card = page.locator(".card")
        with page.expect_download() as download:
            card.get_by_role("link", name="Download").click()
        card.get_by_role("link", name="card.txt").click()
        page.get_by_role("heading", name="card.txt", level=1).wait_for()

        assert download.value.suggested_filename == "card.txt"
        assert page.title() == "card.txt · Ferry"
        assert said == []

    @pytest.mark.parametrize("mode", ["Upload in the background", "Upload to the queue"])
    def test_the_page_follows_a_file_until_it_is_stored(
        self, page: Page, chosen: Callable[..., Path], mode: str
    ) -> None:
        chosen("later.txt")
        page.get_by_role("button", name=mode).click()

        says(page, "later.txt: Stored and verified.")

    def test_progress_moves_and_the_buttons_are_locked_meanwhile(
        self, page: Page, ferry: Stack, chosen: Callable[..., Path]
    ) -> None:
        chosen("large.bin", LARGE)
        slow_down(page)
        page.get_by_role("button", name="Upload and wait").click()
        until(page, HALF_WAY)

        assert page.get_by_role("button", name="Upload and wait").is_disabled()
        assert page.get_by_role("progressbar", name="Sending").is_visible()
        assert "of 11.4 MiB" in page.locator("#amount").inner_text()
        says(page, "large.bin: Stored and verified.")
        assert page.locator("#sending").is_hidden()
        assert page.get_by_role("button", name="Upload and wait").is_enabled()

    def test_two_clicks_make_one_file(self, page: Page, ferry: Stack, chosen: Callable[..., Path]) -> None:
        chosen("twice.txt")
        page.get_by_role("button", name="Upload and wait").dblclick()
        says(page, "twice.txt: Stored and verified.")

        assert len(files_of(ferry, "twice.txt")) == 1

    def test_a_retry_after_a_network_error_makes_one_file(
        self, page: Page, ferry: Stack, chosen: Callable[..., Path]
    ) -> None:
        """The first response is lost, as when a phone changes its network."""
        chosen("lost.txt")
        keys = lose_first_response(page, "*/normal_upload")
        page.get_by_role("button", name="Upload and wait").click()
        page.get_by_role("alert").filter(has_text="No answer came. ").wait_for()
        page.get_by_role("button", name="Upload and wait").click()
        says(page, "lost.txt: Stored and verified.")

        assert len(keys) == 2
        assert keys[0] == keys[1]
        assert len(files_of(ferry, "lost.txt")) == 1

    def test_choosing_a_file_again_uploads_a_new_file(
        self, page: Page, ferry: Stack, chosen: Callable[..., Path]
    ) -> None:
        path = chosen("anew.txt")
        for number in (1, 2):
            page.set_input_files("input[type=file]", path)
            page.get_by_role("button", name="Upload and wait").click()
            until(page, "!document.querySelector('input[type=file]').value")
            assert len(files_of(ferry, "anew.txt")) == number

    def test_cancel_ends_the_upload(self, page: Page, ferry: Stack, chosen: Callable[..., Path]) -> None:
        chosen("cancelled.bin", LARGE)
        slow_down(page)
        page.get_by_role("button", name="Upload and wait").click()
        until(page, HALF_WAY)
        page.get_by_role("button", name="Cancel").click()
        says(page, "Cancelled.")

        assert page.get_by_role("button", name="Upload and wait").is_enabled()
        assert [file["status"] for file in files_of(ferry, "cancelled.bin")] in ([], ["PROCESSING"], ["ERROR"])

    def test_a_file_is_sent_by_keyboard_alone(self, page: Page, chosen: Callable[..., Path]) -> None:
        chosen("keyboard.txt")
        page.locator("input[type=file]").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")

        says(page, "keyboard.txt: Stored and verified.")


class TestRefusals:
    def test_a_problem_is_shown_with_title_and_detail(self, page: Page, chosen: Callable[..., Path]) -> None:
        chosen("refused.txt")
        problem = '{"title": "The quota is used up", "detail": "Only 3 bytes are left.", "status": 403}'
        page.route("**/normal_upload", lambda route: route.fulfill(status=403, body=problem))
        page.get_by_role("button", name="Upload and wait").click()
        alert = page.get_by_role("alert")
        alert.filter(has_text="The quota").wait_for()

        assert alert.inner_text() == "The quota is used up. Only 3 bytes are left."

    def test_a_response_that_is_no_problem_shows_its_status(self, page: Page, chosen: Callable[..., Path]) -> None:
        chosen("proxy.txt")
        page.route("**/normal_upload", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
        page.get_by_role("button", name="Upload and wait").click()

        page.get_by_role("alert").filter(has_text="The server answered 502.").wait_for()

    def test_a_file_that_is_too_large_is_not_sent(self, page: Page, chosen: Callable[..., Path]) -> None:
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method))
        page.route("**/", lambda route: route.fulfill(body=small(route.fetch().text()), content_type="text/html"))
        chosen("large.txt", 2000)
        page.get_by_role("alert").filter(has_text="large.txt has 2.0 KiB. At most 1000 Bytes are accepted.").wait_for()
        page.get_by_role("button", name="Upload and wait").click()

        assert "POST" not in sent


def small(page: str) -> str:
    """The page with a maximum file size of 1000 bytes."""
    return page.replace(f'data-max-bytes="{5 << 30}"', 'data-max-bytes="1000"')


DROP = """(names) => {
    const data = new DataTransfer();
    for (const name of names) data.items.add(new File(["dropped"], name));
    document.body.dispatchEvent(new DragEvent("dragover", {bubbles: true, cancelable: true, dataTransfer: data}));
    const event = new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data});
    document.body.dispatchEvent(event);
    return event.defaultPrevented;
}"""


class TestDrop:
    def test_a_dropped_file_is_chosen(self, page: Page, ferry: Stack) -> None:
        page.goto(ferry.url)

        assert page.evaluate(DROP, ["dropped.txt"])
        says(page, "dropped.txt is chosen.")
        page.get_by_role("button", name="Upload and wait").click()
        says(page, "dropped.txt: Stored and verified.")

    def test_the_first_of_several_files_is_sent_with_a_notice(self, page: Page, ferry: Stack) -> None:
        page.goto(ferry.url)
        page.evaluate(DROP, ["one.txt", "two.txt"])

        says(page, "one.txt is chosen. It is the first of several: this page sends one at a time.")
