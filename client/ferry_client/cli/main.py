"""Entry point of the command `ferry`."""

from __future__ import annotations

import logging
import os
import sys

from ferry_client.cli.exit_codes import ExitCode
from ferry_client.cli.options import parse_args
from ferry_client.cli.output import Output, message
from ferry_client.errors import FerryError
from ferry_client.ferry import Ferry


def main(argv: list[str] | None = None) -> ExitCode:
    """Run one command and return its exit code. Raises SystemExit for wrong usage, help and version."""
    output = Output(as_json=False)
    try:
        return _run(argv)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return ExitCode.FAILED
    except (FerryError, OSError) as error:
        _discard_stdout()
        path = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
        output.error(f"{path}{message(error)}")
        return ExitCode.FAILED


def _run(argv: list[str] | None) -> ExitCode:
    try:
        options = parse_args(argv)
    except SystemExit:
        if sys.stdout:
            sys.stdout.flush()  # So that a full disk is reported: the interpreter would exit with 120.
        raise
    output = Output(as_json=options.json, quiet=options.quiet)
    _log_retries(output, quiet=options.quiet)
    try:
        ferry = Ferry(
            options.url, options.key, max_retry_seconds=options.max_retry_seconds, limit_rate=options.limit_rate
        )
    except ValueError as error:
        output.error(str(error))
        return ExitCode.USAGE
    with ferry:
        return ExitCode(options.run(ferry, options, output))


def _discard_stdout() -> None:
    """Drop unwritten output: the interpreter would fail on it again at exit, with a traceback and exit code 120."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _log_retries(output: Output, *, quiet: bool) -> None:
    """Write the client's log to stderr."""
    handler = logging.Handler()
    handler.emit = lambda record: output.error(_format_record(record))  # type: ignore[method-assign]
    log = logging.getLogger("ferry_client")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.WARNING if quiet else logging.INFO)


def _format_record(record: logging.LogRecord) -> str:
    """Return a log line; for a retry with the error's hint, because the retries of a 429 may take minutes."""
    match record.args:
        case (FerryError() as error, float(delay)):
            return f"{message(error)}; again in {delay:.1f} s"
    return record.getMessage()
