"""Uploaders with default settings, and with those of docs/clients.md, on Ferry's own page and on another site."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.recipes import Place, blocks
from tests.browser.stored import check_absent, check_stored, found, new_files
from tests.browser.uploaders import UPLOADERS, problems, start

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.browser

ZIP = b"PK\x03\x04\x14\0\0\0\0\0"
WRONG_KEY = f"ferry_{'0' * 12}_{'A' * 43}"


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", UPLOADERS)
def test_an_uploader_with_default_settings_sends_files(
    page: Page, place: Place, tmp_path: Path, name: str, count: int
) -> None:
    paths = new_files(tmp_path, count)
    sent = start(page, place, UPLOADERS[name].bare.replace("OPTIONS", ""))

    UPLOADERS[name].choose(page, paths)
    UPLOADERS[name].wait_until_done(page, count)

    check_stored(place, paths)
    assert len(sent) == count


@pytest.mark.parametrize(("mode", "count"), [("async", 1), ("async", 3), ("normal", 3)])
@pytest.mark.parametrize("name", UPLOADERS)
def test_a_recipe_sends_files(
    page: Page, place_with_key: Place, tmp_path: Path, name: str, mode: str, count: int
) -> None:
    paths = new_files(tmp_path, count)
    sent = start(page, place_with_key, blocks()[name].replace("async_upload", f"{mode}_upload"))

    UPLOADERS[name].choose(page, paths)
    UPLOADERS[name].wait_until_done(page, count)

    check_stored(place_with_key, paths)
    assert len(sent) == count


REFUSED = {
    "too large": (2 << 20, b"", None, "too-large", 413),
    "of a type that is denied": (1000, ZIP, None, "type-not-allowed", 415),
    "with a wrong key": (1000, b"", WRONG_KEY, "unauthorized", 401),
}
"""Size of the file, its first bytes, the key in place of the right one; the problem and its status."""


@pytest.mark.parametrize("row", REFUSED)
@pytest.mark.parametrize("name", UPLOADERS)
def test_a_recipe_shows_why_a_file_is_refused(
    page: Page, place_with_key: Place, tmp_path: Path, name: str, row: str
) -> None:
    size, head, key, slug, status = REFUSED[row]
    place = dataclasses.replace(place_with_key, key=key or place_with_key.key)
    paths = new_files(tmp_path, 1, size, head)
    sent = start(page, place, blocks()[name])

    UPLOADERS[name].choose(page, paths)
    reasons = UPLOADERS[name].reasons(page)

    [problem] = problems(sent)
    assert (problem["type"], problem["status"]) == (f"/problems/{slug}", status)
    assert set(reasons) == {problem["detail"]}
    assert len(sent) == 1
    check_absent(place_with_key, paths)


NO_ANSWER = {
    "Uppy": ("This looks like a network error", "The service can't be reached.", 4),
    "Dropzone": ("The service can't be reached.", "The service can't be reached.", 1),
    "FilePond": ("The service can't be reached.", "The service can't be reached.", 1),
}
"""The message without a connection, and for a proxy's HTML page, and the number of requests."""


@pytest.mark.parametrize("has_proxy", [False, True], ids=["no-connection", "proxy"])
@pytest.mark.parametrize("name", UPLOADERS)
def test_a_recipe_reports_an_unreachable_service(
    page: Page, place: Place, tmp_path: Path, name: str, has_proxy: bool
) -> None:
    def fail(route: Route) -> None:
        route.fulfill(status=502, body="<h1>Bad Gateway</h1>", headers=allowed) if has_proxy else route.abort()

    allowed = {"Access-Control-Allow-Origin": place.origin}
    sent = start(page, place, blocks()[name])
    page.route(f"{place.ferry}/async_upload", fail)

    UPLOADERS[name].choose(page, new_files(tmp_path, 1))
    reasons = UPLOADERS[name].reasons(page)

    without_connection, proxy, times = NO_ANSWER[name]
    assert reasons[0].startswith(proxy if has_proxy else without_connection)
    assert len(sent) == times


def test_uppy_makes_one_file_when_an_answer_is_lost(page: Page, place: Place, tmp_path: Path) -> None:
    def lose_the_first(route: Route) -> None:
        if len(sent) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    paths = new_files(tmp_path, 1)
    sent = start(page, place, blocks()["Uppy"])
    page.route(f"{place.ferry}/async_upload", lose_the_first)

    UPLOADERS["Uppy"].choose(page, paths)
    UPLOADERS["Uppy"].wait_until_done(page, 1)

    assert len(sent) == 2
    check_stored(place, paths)


def test_filepond_deletes_a_file_that_the_user_removes(page: Page, place_with_key: Place, tmp_path: Path) -> None:
    paths = new_files(tmp_path, 1)
    start(page, place_with_key, blocks()["FilePond"])
    UPLOADERS["FilePond"].choose(page, paths)
    UPLOADERS["FilePond"].wait_until_done(page, 1)
    assert len(found(place_with_key, paths[0])) == 1

    page.locator("button.filepond--action-revert-item-processing").click()
    page.locator(".filepond--item").wait_for(state="detached")

    check_absent(place_with_key, paths)
