"""Steps on the upload page: a slow network, a lost response, an interrupted upload, and the files that Ferry has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import requests

from dev.polling import eventually
from tests.harness.raw_client import RawClient, post
from tests.harness.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page

LARGE = 12_000_000
"""Bytes of a file whose upload takes four seconds at SLOW."""
SLOW = 3_000_000
"""Bytes per second."""
TIMEOUT_MS = 10_000
"""Maximum wait for an element or a URL."""
HALF_WAY = "document.querySelector('progress').value > 0 && document.querySelector('progress').value < 100"
Opened = Callable[..., "Page"]
"""Opens a tab: the fixture `opened`."""


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


def lose_first_response(page: Page, pattern: str) -> list[str]:
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
    """Send a part of a file and disconnect. Return once the file is in ERROR without a size."""
    with RawClient(stack.ports.web) as client:
        client.send(post(f"/normal_upload?name={name}", b"x" * (LARGE // 4), length=LARGE))
    failed = [("ERROR", None)]
    found = lambda: [(file["status"], file["size"]) for file in files_of(stack, name)]  # noqa: E731
    assert eventually(found, lambda files: files == failed, seconds=10, every=0.1) == failed


def says(page: Page, words: str) -> None:
    """Wait until the status of the page contains the words."""
    page.get_by_role("status").filter(has_text=words).wait_for()
