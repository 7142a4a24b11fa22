"""`ferry upload`."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence

from ferry_client.bodies import Progress
from ferry_client.ferry import Ferry
from ferry_client.problems import ScopeMissing
from ferry_client.shell import folders
from ferry_client.shell.folders import Ignored, Local
from ferry_client.shell.known import Known
from ferry_client.shell.screen import Outcome, Screen
from ferry_client.shell.standard import NAME, STANDARD, standard_input
from ferry_client.shell.transfers import each, outcome, shown


def mistake(options: Namespace) -> str | None:
    """What is wrong with the options, if anything."""
    if options.path.count(STANDARD) > 1:
        return "- is standard input: it can be sent once"
    if options.name and (len(options.path) > 1 or options.recursive):
        return "--name names one file: one PATH, without --recursive"
    return None


def upload(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """Send files; what the server has already of a folder is left out."""
    began = time.monotonic()
    standard = options.name or NAME
    found = list(folders.found(options.path, recursive=options.recursive, standard=standard))
    locals = [item for item in found if isinstance(item, Local)]
    before = [_unsent(item) for item in found if not isinstance(item, Local)]
    known = _known(ferry, locals, options.expires_in, screen) if options.recursive else None

    def send(local: Local, progress: Progress | None) -> Outcome:
        if known and (there := known.take(local)):
            if progress:
                progress(there.size or 0, there.size)
            return outcome("skipped", there, local.label, 0)
        source, name = (local.path, options.name) if local.path else (standard_input(), standard)
        file = ferry.upload(source, mode=options.mode, name=name, expires_in=options.expires_in, on_progress=progress)
        return outcome("sent", file, local.label, file.size or 0)

    with screen.bars([local.size for local in locals]) as bar:
        ended = each(options.jobs, locals, lambda local: (local.label, local.size), bar, send)
        return shown(screen, "sent", began, before, ended)


def _unsent(found: Ignored | OSError) -> Outcome:
    if isinstance(found, OSError):
        return Outcome("failed", str(found.filename), error=found)
    return Outcome("ignored", found.label, reason=found.kind)


def _known(ferry: Ferry, locals: Sequence[Local], expires_in: int | None, screen: Screen) -> Known | None:
    try:
        return Known(ferry, locals, expires_in)
    except ScopeMissing:
        screen.complain("the key may not read: what is there already is sent again")
        return None
