"""Prints docs/errors.md from the problems in the code: `python -m dev.errors > docs/errors.md`."""

from __future__ import annotations

import inspect

import storage  # noqa: F401  its errors are problems too
from problems import IncompleteBody, all_problems


def page() -> str:
    """The whole page."""
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
            "after the path that a proxy serves Ferry under (X-Forwarded-Prefix); it leads to the same words.",
            "`request_id` is also the header `X-Request-ID`, and stands in the server's log.",
            "A file that ended as ERROR, or waits after a failure, has the name in `error`;",
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
