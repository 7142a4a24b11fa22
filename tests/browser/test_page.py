"""The upload page: by mouse and keyboard, without JavaScript, on a phone, with and without a key."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import requests

from dev import parts
from tests.browser.axe import violations
from tests.browser.chromium import watch
from tests.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser

LARGE = 12_000_000
"""Bytes of a file that is on its way for a while at SLOW."""
SLOW = 3_000_000
"""Bytes a second."""
TIMEOUT_MS = 10_000
"""Maximum wait for an element or a URL."""
HALF_WAY = "document.querySelector('progress').value > 0 && document.querySelector('progress').value < 100"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """Ferry with a key, and the key."""
    with Stack(tmp_path_factory.mktemp("keyed")) as stack:
        argv = [str(parts.BIN / "flask"), "--app", "app", "keys", "create", "--owner", "alice"]
        argv += ["--scopes", "upload,read"]
        made = subprocess.run(argv, cwd=parts.ROOT, env=stack.env, capture_output=True, text=True, check=True)
        yield stack, made.stdout.strip()


Opened = Callable[..., "Page"]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    """Opens a tab in a browser of its own: `opened(java_script_enabled=False)`."""
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
    """Opens the page with a file chosen."""

    def choose(name: str = "hello.txt", size: int = 5, url: str = ferry.url) -> Path:
        path = tmp_path / name
        path.write_bytes(b"x" * size)
        page.goto(url)
        page.set_input_files("input[type=file]", path)
        return path

    return choose


def slow_down(page: Page) -> None:
    network = page.context.new_cdp_session(page)
    speed = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": SLOW}
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", speed)


def files_of(stack: Stack, prefix: str, token: str | None = None) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    found = requests.get(f"{stack.url}/files?prefix={prefix}&limit=100", headers=headers, timeout=10)
    return found.json()["files"]  # type: ignore[no-any-return]


def until(page: Page, expression: str) -> None:
    """Return once the condition is true. `wait_for_function` needs eval, which the page's policy forbids."""
    for _ in range(TIMEOUT_MS // 50):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")


def lose_first_answer(page: Page, pattern: str) -> list[str]:
    """Reset the connection of the first matching request once the server has answered it.

    Returns the Idempotency-Key of each matching request, as they are answered.
    Chromium's own interception does it: Playwright's `route.fetch` sends a form without the bytes of its files.
    """
    keys: list[str] = []
    network = page.context.new_cdp_session(page)

    def answered(event: dict[str, Any]) -> None:
        keys.append(event["request"]["headers"]["Idempotency-Key"])
        if len(keys) == 1:
            network.send("Fetch.failRequest", {"requestId": event["requestId"], "errorReason": "ConnectionReset"})
        else:
            network.send("Fetch.continueRequest", {"requestId": event["requestId"]})

    network.on("Fetch.requestPaused", answered)
    network.send("Fetch.enable", {"patterns": [{"urlPattern": pattern, "requestStage": "Response"}]})
    return keys


def cut_short(stack: Stack, name: str) -> None:
    """Send a part of a file and disconnect: it fails, and its size stays unknown."""
    head = f"POST /normal_upload?name={name} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {LARGE}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", stack.ports.web)) as client:
        client.sendall(head.encode() + b"x" * (LARGE // 4))
    for _ in range(100):
        if [(file["status"], file["size"]) for file in files_of(stack, name)] == [("ERROR", None)]:
            return
        time.sleep(0.1)
    raise AssertionError(f"{name} has not failed: {files_of(stack, name)}")


def says(page: Page, words: str) -> None:
    page.get_by_role("status").filter(has_text=words).wait_for()


class TestSending:
    def test_the_result_is_a_card_that_leads_to_the_file(self, page: Page, chosen: Callable[..., Path]) -> None:
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
    def test_a_file_stored_later_is_followed_to_its_end(
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
        """The first answer is lost on its way, as where a phone changes its network."""
        chosen("lost.txt")
        keys = lose_first_answer(page, "*/normal_upload")
        page.get_by_role("button", name="Upload and wait").click()
        page.get_by_role("alert").filter(has_text="No answer came. ").wait_for()
        page.get_by_role("button", name="Upload and wait").click()
        says(page, "lost.txt: Stored and verified.")

        assert len(keys) == 2
        assert keys[0] == keys[1]
        assert len(files_of(ferry, "lost.txt")) == 1

    def test_a_file_that_is_chosen_anew_is_a_new_file(
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
    """The page of a Ferry that takes 1000 bytes."""
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


class TestFilesPage:
    def test_a_reload_sends_nothing(self, opened: Opened, ferry: Stack, tmp_path: Path) -> None:
        """Without JavaScript: the form, 303, the file's page."""
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
    def test_the_file_page_updates_to_the_end(self, opened: Opened, own_stack: Stack, javascript: bool) -> None:
        own_stack.stop("worker")
        where = own_stack.upload("celery", b"later", "later.txt").json()["links"]["self"]
        page = opened(java_script_enabled=javascript)
        page.goto(own_stack.url + where)
        assert page.get_by_role("status").inner_text() == "Accepted. Its bytes are safe and wait to be stored."
        own_stack.start("worker")
        page.get_by_role("status").filter(has_text="Stored and verified.").wait_for(timeout=30_000)
        page.get_by_role("link", name="Download").wait_for()


class TestKey:
    def test_a_file_is_sent_and_fetched_with_it(
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

    def test_a_wrong_key_is_reported_and_forgotten(
        self, page: Page, keyed: tuple[Stack, str], chosen: Callable[..., Path]
    ) -> None:
        chosen("wrong.txt", url=keyed[0].url)
        page.get_by_label("API key").fill("ferry_wrong")
        page.get_by_role("button", name="Upload and wait").click()
        page.get_by_role("alert").filter(has_text="API key required. The API key is unknown").wait_for()
        page.reload()

        assert page.get_by_label("API key").input_value() == ""

    def test_without_javascript_the_page_says_what_to_do(self, opened: Opened, keyed: tuple[Stack, str]) -> None:
        page = opened(java_script_enabled=False)
        page.goto(keyed[0].url)

        assert page.get_by_label("API key").is_hidden()
        assert page.get_by_role("button", name="Upload and wait").is_disabled()
        assert f"-F file=@FILE {keyed[0].url}/normal_upload" in page.locator("pre").inner_text()


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


def unscripted(page: str) -> str:
    """The page without its scripts and with the content of `noscript`."""
    return re.sub(r"<script.*?</script>|</?noscript>", "", page, flags=re.DOTALL)


@pytest.fixture(params=[320, 1280])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.mark.parametrize("scheme", ["light", "dark"])
class TestEveryone:
    """WCAG 2.2 AA as far as axe sees it, and 1.4.10: nothing scrolls sideways at 320 px."""

    @pytest.fixture
    def page(self, opened: Opened, width: int, scheme: Any) -> Page:
        return opened(viewport={"width": width, "height": 640}, color_scheme=scheme)

    def good(self, page: Page) -> None:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")

    def test_the_page(self, page: Page, ferry: Stack, chosen: Callable[..., Path]) -> None:
        cut_short(ferry, f"cut-{uuid4().hex}.txt")
        page.goto(ferry.url)
        self.good(page)
        chosen(f"{'long' * 40}.txt")
        page.get_by_role("button", name="Upload and wait").click()
        says(page, "Stored and verified.")
        page.get_by_role("link", name="Files sent so far").click()
        page.get_by_role("table").wait_for()
        self.good(page)

    def test_the_page_while_it_sends_and_after_an_error(
        self, page: Page, ferry: Stack, chosen: Callable[..., Path]
    ) -> None:
        chosen("sending.bin", LARGE)
        slow_down(page)
        page.get_by_role("button", name="Upload and wait").click()
        until(page, HALF_WAY)
        self.good(page)
        page.route("**/async_upload", lambda route: route.abort())
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Upload in the background").click()
        page.get_by_role("alert").filter(has_text="No answer came").wait_for()
        self.good(page)

    def test_the_page_with_a_key(self, page: Page, keyed: tuple[Stack, str], chosen: Callable[..., Path]) -> None:
        stack, token = keyed
        chosen("mine.txt", url=stack.url)
        self.good(page)
        page.get_by_label("API key").fill(token)
        page.get_by_role("button", name="Upload and wait").click()
        says(page, "Stored and verified.")
        page.get_by_role("link", name="Files sent so far").click()
        page.get_by_role("table").wait_for()
        self.good(page)

    def test_the_page_with_a_key_and_without_javascript(self, page: Page, keyed: tuple[Stack, str]) -> None:
        """axe needs JavaScript, so the page is served as a browser without it reads it."""
        page.route(
            f"{keyed[0].url}/",
            lambda route: route.fulfill(response=(answer := route.fetch()), body=unscripted(answer.text())),
        )
        page.goto(keyed[0].url)
        page.get_by_text("A form can't send an API key").wait_for()
        self.good(page)

    def test_a_files_page(self, page: Page, ferry: Stack) -> None:
        where = ferry.upload("normal", b"x", f"{'name' * 40}.txt").json()["links"]["self"]
        page.goto(ferry.url + where)
        self.good(page)

    def test_the_api(self, page: Page, ferry: Stack, width: int) -> None:
        page.goto(f"{ferry.url}/docs")
        self.good(page)
        assert page.get_by_role("heading", level=1).bounding_box()["y"] < 200  # type: ignore[index]
