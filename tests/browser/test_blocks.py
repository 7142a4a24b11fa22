"""Every block of docs/clients.md, "In the browser", has a test. `make test` runs this: it needs no browser."""

from __future__ import annotations

from tests.browser.recipes import blocks, browser_half
from tests.browser.test_recipes import RUNS
from tests.browser.uploaders import UPLOADERS


def test_every_code_block_of_the_page_is_run() -> None:
    assert set(blocks()) == {"", *UPLOADERS, *RUNS}
    assert browser_half().count("```") == 2 * len(blocks())
