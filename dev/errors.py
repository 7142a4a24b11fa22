"""Print docs/errors.md, generated from the problems in the code: `python -m dev.errors > docs/errors.md`."""

from __future__ import annotations

import inspect

import storage  # noqa: F401  registers its errors as problems
from problems import IncompleteBody, all_problems


def page() -> str:
    """Return the page as Markdown."""
    rows = [
        f"| `{slug}` | {kind.status} | {kind.title} | {inspect.cleandoc(kind.__doc__ or '')} |"
        for slug, kind in sorted(all_problems().items())
    ]
    return "\n".join(
        [
            "# Errors",
            "",
            "Every failure is `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `detail`,",
            "`instance`, `request_id`, and sometimes members of its own. `type` is `/problems/` and the name below,",
            "under the path prefix that a proxy sets (X-Forwarded-Prefix); it links to the same text.",
            "`request_id` equals the header `X-Request-ID` and is in the server's log.",
            "A file with status ERROR, or one that waits for another attempt, has the name in `error`;",
            f"`{IncompleteBody().reason}` there is `{IncompleteBody.slug()}`.",
            "",
            "| name | status | title | cause and cure |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    print(page(), end="")
