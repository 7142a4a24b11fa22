"""The functions of docs/clients.md: a refusal is thrown with its reason, an aborted upload leaves no file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.recipes import FILE, Place, blocks, choose
from tests.browser.stored import check_absent, new_files

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

CALLS = {
    "axios in a page": f"send({FILE}, () => {{}})",
    "fetch: Raw": f"put({FILE})",
    "fetch: Form that can be repeated": f"post({FILE}, crypto.randomUUID())",
    "Follow a file: Wait until it is stored": "ended('no-such-file')",
    "Follow a file: Each change, with a key": "follow('no-such-file', () => {})",
    "Show a file: With a key": "showPrivate('no-such-file')",
    "Show a file: By a link": "play('no-such-file')",
}
"""Calls that Ferry refuses."""


@pytest.mark.parametrize("name", CALLS)
def test_a_recipe_throws_the_reason_of_a_refusal(page: Page, place_with_key: Place, tmp_path: Path, name: str) -> None:
    paths = new_files(tmp_path, 1, 2 << 20)
    place_with_key.open(page)
    place_with_key.run(page, blocks()[name])
    choose(page, paths)
    thrown = page.evaluate(f"{CALLS[name]}.then(() => null, error => error.message)")

    assert thrown == ("Not found" if "no-such" in CALLS[name] else "At most 1048576 bytes are accepted.")
    check_absent(place_with_key, paths)


ABORTS = {"axios in a page": f"send({FILE}, () => {{}}, SIGNAL)", "fetch: Raw": f"put({FILE}, SIGNAL)"}
SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}


@pytest.mark.parametrize("name", ABORTS)
def test_an_upload_that_is_aborted_leaves_no_file(page: Page, place: Place, tmp_path: Path, name: str) -> None:
    paths = new_files(tmp_path, 1, 2 << 20)
    place.open(page)
    place.run(page, blocks()[name])
    choose(page, paths)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", SLOW)
    call = ABORTS[name].replace("SIGNAL", "AbortSignal.timeout(1000)")
    thrown: Any = page.evaluate(f"{call}.then(() => null, error => error.name)")

    assert re.fullmatch("CanceledError|TimeoutError|AbortError", str(thrown))
    check_absent(place, paths)


def test_credentials_are_refused_by_the_browser_on_another_site(page: Page, place: Place) -> None:
    place.open(page)
    call = f"fetch('{place.ferry}/files', {{credentials: 'include'}}).then(() => 'seen', () => 'hidden')"

    assert page.evaluate(call) == ("seen" if place.origin == place.ferry else "hidden")


def test_a_list_of_files_in_axios_is_refused_with_a_reason(page: Page, place: Place, tmp_path: Path) -> None:
    paths = new_files(tmp_path, 2)
    place.open(page)
    place.run(page, blocks()["axios in a page"])
    choose(page, paths)
    call = "send([...document.querySelector('#files').files], () => {}).then(() => null, error => error.message)"

    assert "one request per file" in page.evaluate(call)
    check_absent(place, paths)
