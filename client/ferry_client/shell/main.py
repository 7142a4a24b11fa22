"""The command: how it begins, and how it ends."""

from __future__ import annotations

import logging
import os
import sys

from ferry_client.errors import FerryError
from ferry_client.ferry import Ferry
from ferry_client.shell.exits import Exit
from ferry_client.shell.options import parsed
from ferry_client.shell.screen import Screen, said


def main(argv: list[str] | None = None) -> Exit:
    """Run one command. Returns its exit code; ends the program by itself for wrong usage, help and version."""
    screen = Screen(as_json=False)
    try:
        return _run(argv)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return Exit.FAILED
    except (FerryError, OSError) as error:
        _forget_output()
        path = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
        screen.complain(f"{path}{said(error)}")
        return Exit.FAILED


def _run(argv: list[str] | None) -> Exit:
    try:
        options = parsed(argv)
    except SystemExit:
        if sys.stdout:
            sys.stdout.flush()  # While a full disk can still be reported: Python itself would end with 120.
        raise
    screen = Screen(as_json=options.json, quiet=options.quiet)
    _tell_of_retries(screen, quiet=options.quiet)
    try:
        ferry = Ferry(options.url, options.key, patience=options.patience, limit_rate=options.limit_rate)
    except ValueError as error:
        screen.complain(str(error))
        return Exit.USAGE
    with ferry:
        return Exit(options.run(ferry, options, screen))


def _forget_output() -> None:
    """What stdout did not take would fail once more at Python's end, with a traceback and an exit code of its own."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell_of_retries(screen: Screen, *, quiet: bool) -> None:
    handler = logging.Handler()
    handler.emit = lambda record: screen.complain(_retry(record))  # type: ignore[method-assign]
    log = logging.getLogger("ferry_client")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.WARNING if quiet else logging.INFO)


def _retry(record: logging.LogRecord) -> str:
    """The line of a pause, with the hint of the error that caused it: 429 may last for minutes."""
    match record.args:
        case (FerryError() as error, float(pause)):
            return f"{said(error)}; again in {pause:.1f} s"
    return record.getMessage()
