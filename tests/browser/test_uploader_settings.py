"""Unsupported settings of uploaders (docs/clients.md): no chunk becomes a file, and the user sees the reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.recipes import Place, blocks
from tests.browser.stored import check_absent, check_stored, new_files
from tests.browser.uploaders import UPLOADERS, problems, start

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

NOT_ACCEPTED = {
    "Uppy bundle": ("Uppy", "bundle: true", 2, 1000, "too-many-files"),
    "Dropzone uploadMultiple": ("Dropzone", "uploadMultiple: true", 2, 1000, "too-many-files"),
    "Dropzone chunking": ("Dropzone", "chunking: true, chunkSize: 1000", 1, 2500, "chunked-upload"),
    "FilePond chunkUploads": ("FilePond", "chunkUploads: true, chunkSize: 1000", 1, 2500, "chunked-upload"),
}
"""The uploader and an unsupported setting; number and size of the files that trigger it; the problem."""

_ANCHOR = {"Uppy": "  headers,\n  shouldRetry", "Dropzone": "headers })", "FilePond": "allowMultiple: true,"}
"""Text of each recipe before which a setting can stand."""


def with_setting(name: str, setting: str) -> str:
    """The recipe with one more setting."""
    code, anchor = blocks()[name], _ANCHOR[name]
    assert code.count(anchor) == 1
    return code.replace(anchor, f"{setting}, {anchor}")


@pytest.mark.parametrize("row", NOT_ACCEPTED)
def test_an_unsupported_setting_is_refused_with_a_reason_and_leaves_no_file(
    page: Page, place: Place, tmp_path: Path, row: str
) -> None:
    name, setting, count, size, slug = NOT_ACCEPTED[row]
    paths = new_files(tmp_path, count, size)
    sent = start(page, place, with_setting(name, setting))

    UPLOADERS[name].choose(page, paths)
    reasons = UPLOADERS[name].reasons(page)

    [problem] = problems(sent)
    assert problem["type"] == f"/problems/{slug}"
    assert set(reasons) == {problem["detail"]}
    check_absent(place, paths)


@pytest.mark.parametrize("row", NOT_ACCEPTED)
def test_an_unsupported_setting_does_not_harm_a_small_file(page: Page, place: Place, tmp_path: Path, row: str) -> None:
    name, setting, *_ = NOT_ACCEPTED[row]
    paths = new_files(tmp_path, 1, 900)
    start(page, place, with_setting(name, setting))

    UPLOADERS[name].choose(page, paths)
    UPLOADERS[name].wait_until_done(page, 1)

    check_stored(place, paths)


RAW = {
    "Uppy": ("endpoint: (file) => `${ferry}/async_upload/${encodeURIComponent(file.name)}`", "formData: false"),
    "Dropzone": ("url: ([file]) => `${ferry}/async_upload/${encodeURIComponent(file.name)}`", "binaryBody: true"),
}
"""The address with the file's name, and the setting that sends the bytes alone."""


@pytest.mark.parametrize("name", RAW)
def test_an_uploader_sends_raw_bytes_to_an_address_with_the_name(
    page: Page, place: Place, tmp_path: Path, name: str
) -> None:
    address, setting = RAW[name]
    paths = new_files(tmp_path, 2)
    code = with_setting(name, setting).replace(f"{address.split(':')[0]}: `${{ferry}}/async_upload`", address)
    assert address in code
    start(page, place, code)

    UPLOADERS[name].choose(page, paths)
    UPLOADERS[name].wait_until_done(page, 2)

    check_stored(place, paths)


@pytest.mark.parametrize("name", RAW)
def test_raw_bytes_without_a_name_are_refused_with_a_reason(
    page: Page, place: Place, tmp_path: Path, name: str
) -> None:
    sent = start(page, place, with_setting(name, RAW[name][1]))

    UPLOADERS[name].choose(page, new_files(tmp_path, 1))
    reasons = UPLOADERS[name].reasons(page)

    [answer] = [request.response() for request in sent]
    assert answer is not None
    assert answer.status == 400
    assert reasons[0].startswith("Send the name in the path")


def test_tus_in_uppy_is_refused_with_a_reason(page: Page, place: Place, tmp_path: Path) -> None:
    paths = new_files(tmp_path, 1)
    code = UPLOADERS["Uppy"].bare.replace("XHRUpload", "Tus").replace("OPTIONS", "")
    sent = start(page, place, code)

    UPLOADERS["Uppy"].choose(page, paths)
    reason = page.locator(".uppy-Dashboard-Item-errorDetails").get_attribute("aria-label")

    [problem] = problems(sent)
    assert problem["type"] == "/problems/chunked-upload"
    assert problem["detail"] in str(reason)
    check_absent(place, paths)


def test_uppy_by_default_repeats_a_refused_file_as_a_network_error(page: Page, place: Place, tmp_path: Path) -> None:
    """The recipe does neither: docs/clients.md explains its settings."""
    sent = start(page, place, UPLOADERS["Uppy"].bare.replace("OPTIONS", "bundle: true"))

    UPLOADERS["Uppy"].choose(page, new_files(tmp_path, 2))
    reason = page.locator(".uppy-Dashboard-Item-errorDetails").first.get_attribute("aria-label")

    assert str(reason).startswith("This looks like a network error")
    assert len(sent) == 4
