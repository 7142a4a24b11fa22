"""axe-core (Deque): accessibility violations of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.site import MODULES, require_modules

if TYPE_CHECKING:
    from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
"""The impacts of axe-core that a page must not have."""


def violations(page: Page, impacts: tuple[str, ...] = SERIOUS) -> list[str]:
    """The rules of these impacts that the page breaks, each with the elements: `color-contrast: a, .hint`.

    The script runs as the debugger's, so that the page's Content-Security-Policy does not stop it.
    """
    require_modules()
    page.evaluate((MODULES / "axe-core" / "axe.min.js").read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{rule['id']}: {', '.join(str(node['target'][0]) for node in rule['nodes'])}"
        for rule in found
        if rule["impact"] in impacts
    ]
