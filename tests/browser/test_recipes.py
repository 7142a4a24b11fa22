"""The functions that docs/clients.md gives to pages, as printed: on Ferry's own page and on that of another site."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.browser import samples
from tests.browser.recipes import FILE, Place, blocks, choose
from tests.browser.stored import check_stored, new_files
from tests.browser.test_viewers import until_red

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def upload(place: Place, mode: str, body: bytes, name: str) -> str:
    """Send a file without the browser. Returns its id."""
    answer = requests.put(f"{place.ferry}/{mode}_upload/{name}", body, headers=place.headers, timeout=30)
    answer.raise_for_status()
    return str(answer.json()["id"])


def axios_sends_with_progress(page: Page, place: Place, folder: Path) -> None:
    paths = new_files(folder, 1, 500_000)
    choose(page, paths)
    file, last = page.evaluate(f"(async () => {{ let last; return [await send({FILE}, n => last = n), last] }})()")

    assert (file["name"], last) == (paths[0].name, 1)
    check_stored(place, paths)


def fetch_sends_any_type(page: Page, place: Place, folder: Path) -> None:
    [path] = new_files(folder, 1)
    path = path.rename(folder / f"{path.stem} 100% #1?.json")
    path.write_text("{}")
    choose(page, [path])
    file = page.evaluate(f"put({FILE})")

    assert file["name"] == path.name
    check_stored(place, [path])


def fetch_repeats_a_form(page: Page, place: Place, folder: Path) -> None:
    paths = new_files(folder, 1)
    choose(page, paths)
    first, second = page.evaluate(
        f"(async key => [await post({FILE}, key), await post({FILE}, key)])('key-{paths[0].stem[:8]}')"
    )

    assert first["id"] == second["id"]
    assert first["expires_at"] is not None
    check_stored(place, paths)


def it_waits_until_the_file_is_stored(page: Page, place: Place, folder: Path) -> None:
    id = upload(place, "celery", b"x" * 100_000, "waiting.bin")

    assert page.evaluate(f"ended('{id}')")["status"] == "COMPLETE"


def fetch_reads_each_change(page: Page, place: Place, folder: Path) -> None:
    id = upload(place, "celery", b"x" * 100_000, "followed.bin")
    shown = page.evaluate(f"(async () => {{ const all = []; await follow('{id}', f => all.push(f)); return all }})()")

    assert {file["id"] for file in shown} == {id}
    assert shown[-1]["status"] == "COMPLETE"


def an_event_source_reads_each_change_without_a_key(page: Page, place: Place, folder: Path) -> None:
    """With a key the request gets 401, and the browser shows no reason."""
    id = upload(place, "celery", b"x" * 100_000, "watched.bin")
    shown, state = page.evaluate(f"""new Promise(done => {{
        const all = [], events = watch('{id}', file => all.push(file.status))
        events.addEventListener('error', () => events.readyState === EventSource.CLOSED && done([all, 'closed']))
    }})""")

    assert state == "closed"
    assert shown[-1:] == ([] if place.key else ["COMPLETE"])


def an_image_is_shown_without_a_key(page: Page, place: Place, folder: Path) -> None:
    id = upload(place, "normal", samples.png(300), "a.png")
    page.evaluate(f"show('{id}')")
    decoded = page.evaluate("document.querySelector('#viewer img').decode().then(() => 'shown', () => 'refused')")

    assert decoded == ("refused" if place.key else "shown")


def a_pdf_is_shown_with_a_key(page: Page, place: Place, folder: Path) -> None:
    id = upload(place, "normal", samples.pdf(), "a.pdf")
    page.set_viewport_size({"width": 400, "height": 300})
    page.evaluate(f"showPrivate('{id}')")

    until_red(page)


def a_link_plays_without_a_key(page: Page, place: Place, folder: Path) -> None:
    id = upload(place, "normal", samples.wav(), "a.wav")
    page.evaluate(f"play('{id}')")
    page.wait_for_function("document.querySelector('#viewer video').readyState >= 1")

    assert page.evaluate("document.querySelector('#viewer video').duration") == 2


RUNS: dict[str, Callable[[Page, Place, Path], None]] = {
    "axios in a page": axios_sends_with_progress,
    "fetch: Raw": fetch_sends_any_type,
    "fetch: Form that can be repeated": fetch_repeats_a_form,
    "Follow a file: Wait until it is stored": it_waits_until_the_file_is_stored,
    "Follow a file: Each change, without a key": an_event_source_reads_each_change_without_a_key,
    "Follow a file: Each change, with a key": fetch_reads_each_change,
    "Show a file: Without a key": an_image_is_shown_without_a_key,
    "Show a file: With a key": a_pdf_is_shown_with_a_key,
    "Show a file: By a link": a_link_plays_without_a_key,
}
"""The call for each block that defines a function."""


@pytest.mark.parametrize("name", RUNS)
def test_a_recipe_works_as_printed(page: Page, place: Place, tmp_path: Path, name: str) -> None:
    place.open(page)
    place.run(page, blocks()[name])

    RUNS[name](page, place, tmp_path)


@pytest.mark.parametrize("name", RUNS)
def test_a_recipe_works_as_printed_with_a_key(page: Page, place_with_key: Place, tmp_path: Path, name: str) -> None:
    place_with_key.open(page)
    place_with_key.run(page, blocks()[name])

    RUNS[name](page, place_with_key, tmp_path)
