"""`ferry link`."""

from __future__ import annotations

from argparse import Namespace

from ferry_client.errors import FerryError
from ferry_client.ferry import Ferry
from ferry_client.shell.exits import Exit
from ferry_client.shell.screen import Outcome, Screen

_LONGEST = 900
"""Seconds. Ferry signs no link that lives longer."""


def mistake(options: Namespace) -> str | None:
    """What is wrong with the options, if anything."""
    return "--expires-in of a link is at most 15m" if (options.expires_in or 0) > _LONGEST else None


def link(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """Print a line with the link of each file; with --json its id and the time of its end too."""
    failed = False
    for id in options.id:
        try:
            made = ferry.link(id, expires_in=options.expires_in)
        except FerryError as error:
            screen.show(Outcome("failed", id, error=error))
            failed = True
            continue
        if options.json:
            screen.json({"id": id} | made.as_json())
        else:
            screen.line(made.url)
    return Exit.FAILED if failed else Exit.OK
