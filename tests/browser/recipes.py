"""The code blocks of docs/clients.md, "In the browser", and the pages in which they run as printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dev import parts
from tests.browser.site import FOLDER

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

_PARTS = re.compile(
    r"^### (?P<heading>[^\n]+)$|^#### (?P<title>[^\n]+)$|^```js\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
_KEY = '{ Authorization: "Bearer ferry_…" }'
FILE = "document.querySelector('#files').files[0]"
"""The file that is chosen in the page's own input."""

_FROM_THE_TEST = re.compile(r"^http://127\.0\.0\.1:\d+/(pages|node_modules)/")
_ADDRESS = '"http://127.0.0.1:5000"'


def browser_half() -> str:
    """The text under the heading "In the browser"."""
    return (parts.ROOT / "docs" / "clients.md").read_text().split("\n## In the browser\n")[1].split("\n## ")[0]


def blocks() -> dict[str, str]:
    """The blocks of JavaScript by their headings: `fetch: Raw`. The one that all others need has an empty heading."""
    found: dict[str, str] = {}
    heading = title = ""
    for match in _PARTS.finditer(browser_half()):
        if match["heading"]:
            heading, title = match["heading"], ""
        elif match["title"]:
            title = match["title"]
        else:
            name = f"{heading}: {title}" if title else heading
            assert name not in found, f"two blocks under {name}"
            found[name] = match["code"]
    return found


@dataclass(frozen=True)
class Place:
    """Where a recipe runs.

    origin: of the page. Ferry's own, or that of another site.
    ferry: the address of Ferry.
    key: an API key, or None if Ferry needs no key.
    """

    origin: str
    ferry: str
    key: str | None

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def open(self, page: Page) -> None:
        """Go to the page of the recipes. On Ferry's origin the browser gets its files from the test."""
        if self.origin == self.ferry:
            page.route(_FROM_THE_TEST, _serve)
            # Chromium counts a page that came over no connection as public, and asks before it loads from loopback.
            page.context.grant_permissions(["local-network-access"], origin=self.origin)
        page.goto(f"{self.origin}/pages/recipe.html")

    def run(self, page: Page, code: str) -> None:
        """Run `code` as a module after the block that all recipes need. Its functions become globals of the window."""
        shared = blocks()[""]
        assert _KEY in shared
        assert _ADDRESS in shared
        headers = f'{{ Authorization: "Bearer {self.key}" }}' if self.key else "{}"
        shared = shared.replace(_ADDRESS, f'"{self.ferry}"').replace(_KEY, headers)
        names = ", ".join(re.findall(r"^(?:async )?function (\w+)", code, re.MULTILINE))
        ready = f"Object.assign(window, {{ {names} }})\nwindow.isReady = true"
        page.add_script_tag(content=f"{shared}\n{code}\n{ready}", type="module")
        page.wait_for_function("window.isReady")


def choose(page: Page, paths: list[Path]) -> None:
    """Choose files in the page's own input."""
    page.locator("#files").set_input_files(paths)


def _serve(route: Route) -> None:
    path = FOLDER / route.request.url.split("/", 3)[3].split("?")[0]
    route.fulfill(path=path, content_type="text/javascript" if path.suffix in (".js", ".mjs") else None)
