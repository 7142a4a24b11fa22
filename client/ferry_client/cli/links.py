"""`ferry link`."""

from __future__ import annotations

from argparse import Namespace

from ferry_client.cli.exit_codes import ExitCode
from ferry_client.cli.output import Outcome, Output
from ferry_client.errors import FerryError
from ferry_client.ferry import Ferry

_MAX_SECONDS = 900
"""The longest lifetime of a link that Ferry signs."""


def validate(options: Namespace) -> str | None:
    """Return an error message for invalid options, or None."""
    return "--expires-in of a link is at most 15m" if (options.expires_in or 0) > _MAX_SECONDS else None


def link(ferry: Ferry, options: Namespace, output: Output) -> int:
    """Print the link of each file on a line; with --json also its id and expiry."""
    failed = False
    for id in options.id:
        try:
            presigned = ferry.link(id, expires_in=options.expires_in)
        except FerryError as error:
            output.show(Outcome("failed", id, error=error))
            failed = True
            continue
        if options.json:
            output.json({"id": id} | presigned.to_json())
        else:
            output.line(presigned.url)
    return ExitCode.FAILED if failed else ExitCode.OK
