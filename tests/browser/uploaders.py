"""One driver per uploader: choose files, wait until they are done, or read the reason of a refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.browser.recipes import Place

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request


@dataclass(frozen=True)
class Uploader:
    """An uploader in the page of the recipes.

    bare: the least code that sends files. OPTIONS stands for more of its settings.
    choose: choose these files, and send them.
    done: selects each file that it shows as uploaded.
    reasons: what it says of each refused file.
    """

    bare: str
    choose: Callable[[Page, list[Path]], None]
    done: str
    reasons: Callable[[Page], list[str]]

    def wait_until_done(self, page: Page, count: int) -> None:
        """Wait until it shows `count` files as uploaded."""
        page.locator(self.done).nth(count - 1).wait_for(state="attached")


def _choose_in_uppy(page: Page, paths: list[Path]) -> None:
    page.locator("input.uppy-Dashboard-input").first.set_input_files(paths)
    page.locator(".uppy-StatusBar-actionBtn--upload").click()


def _reasons_of_uppy(page: Page) -> list[str]:
    """The messages below the files, without those that only say that the file has failed."""
    reasons = page.locator(".uppy-Informer p").filter(has_not_text="Failed to upload")
    reasons.first.wait_for()
    return [text.strip() for text in reasons.all_text_contents()]


def _choose_in(selector: str) -> Callable[[Page, list[Path]], None]:
    return lambda page, paths: page.locator(selector).set_input_files(paths)


def _reasons_at(selector: str) -> Callable[[Page], list[str]]:
    def reasons(page: Page) -> list[str]:
        page.locator(selector).first.wait_for(state="attached")
        return page.locator(selector).all_text_contents()

    return reasons


UPLOADERS = {
    "Uppy": Uploader(
        """import { Dashboard, Uppy, XHRUpload } from "uppy"
        new Uppy()
          .use(Dashboard, { inline: true, target: "#uploader" })
          .use(XHRUpload, { endpoint: `${ferry}/async_upload`, OPTIONS })""",
        _choose_in_uppy,
        ".uppy-Dashboard-Item.is-complete",
        _reasons_of_uppy,
    ),
    "Dropzone": Uploader(
        """import Dropzone from "dropzone"
        new Dropzone("#uploader", { url: `${ferry}/async_upload`, OPTIONS })""",
        _choose_in("input.dz-hidden-input"),
        ".dz-preview.dz-success",
        _reasons_at(".dz-preview.dz-error [data-dz-errormessage]"),
    ),
    "FilePond": Uploader(
        """import * as FilePond from "filepond"
        const options = { allowMultiple: true, server: `${ferry}/async_upload`, OPTIONS }
        FilePond.create(document.querySelector("#uploader"), options)""",
        _choose_in("input.filepond--browser"),
        "[data-filepond-item-state=processing-complete]",
        _reasons_at("[data-filepond-item-state=processing-error] .filepond--file-status-main"),
    ),
}


def start(page: Page, place: Place, code: str) -> list[Request]:
    """Run `code` in the page of the recipes. Returns the uploads that it will send."""
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    place.open(page)
    place.run(page, code)
    return sent


def problems(sent: list[Request]) -> list[dict[str, Any]]:
    """The problems that Ferry answered."""
    answers = [request.response() for request in sent]
    return [answer.json() for answer in answers if answer is not None and not answer.ok]
