"""The command: how it begins, and how it ends."""

from __future__ import annotations

import logging
import os
import sys

from ferry_client.errors import FerryError
from ferry_client.ferry import Ferry
from ferry_client.shell.options import parsed
from ferry_client.shell.screen import Screen, said


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns its exit code: 0, 1 where something failed, 2 for wrong usage, 130 after Ctrl-C."""
    options = parsed(argv)
    screen = Screen(as_json=options.json, quiet=options.quiet)
    _tell_of_retries(screen, quiet=options.quiet)
    try:
        ferry = Ferry(options.url, options.key, limit_rate=options.limit_rate)
    except ValueError as error:
        screen.complain(str(error))
        return 2
    try:
        with ferry:
            return int(options.run(ferry, options, screen))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would complain once more at its end.
        return 1
    except (FerryError, OSError) as error:
        screen.complain(said(error))
        return 1


def _tell_of_retries(screen: Screen, *, quiet: bool) -> None:
    handler = logging.Handler()
    handler.emit = lambda record: screen.complain(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("ferry_client")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.WARNING if quiet else logging.INFO)
