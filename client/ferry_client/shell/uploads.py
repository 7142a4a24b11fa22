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
from ferry_client.shell.standard import NAME, STANDARD, is_typed, standard_input
from ferry_client.shell.transfers import each, jobs_within, outcome, shown, took
from ferry_client.shell.words import forecast, size

LOWEST_RATE = 10_000
"""Bytes per second, the default of MIN_UPLOAD_RATE. A slower body is answered with 408 after half a minute."""


def mistake(options: Namespace) -> str | None:
    """What is wrong with the options, if anything."""
    if (options.limit_rate or LOWEST_RATE) < LOWEST_RATE:
        return "--limit-rate of uploads is at least 10k: Ferry gives up bodies that are slower (its MIN_UPLOAD_RATE)"
    if options.path.count(STANDARD) > 1:
        return "- is standard input: it can be sent once"
    if options.name and (len(options.path) > 1 or options.recursive):
        return "--name names one file: one PATH, without --recursive"
    return None


def upload(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """Send files; what the server has already of a folder is left out."""
    began = time.monotonic()
    standard = options.name or NAME
    found = list(folders.found(options.path, recursive=options.recursive, standard=standard, exclude=options.exclude))
    locals = [item for item in found if isinstance(item, Local)]
    before = [_unsent(item) for item in found if not isinstance(item, Local)]
    known = _known(ferry, locals, options.expires_in, screen) if options.recursive else None
    jobs, done, last = jobs_within(options.jobs, options.limit_rate), "sent", took(began)
    if options.dry_run:
        done, last = "would upload", forecast

    def send(local: Local, progress: Progress | None) -> Outcome:
        if known and (there := known.take(local)):
            if progress:
                progress(there.size or 0, there.size)
            return outcome("skipped", there, local.label, 0)
        if options.dry_run:
            return _foreseen(local)
        source, name = (local.path, options.name) if local.path else (standard_input(), standard)
        file = ferry.upload(source, mode=options.mode, name=name, expires_in=options.expires_in, on_progress=progress)
        return outcome(done, file, local.label, file.size or 0)

    typed = STANDARD in options.path and is_typed()
    with screen.bars([local.size for local in locals], typed=typed) as bars:
        ended = each(jobs, locals, lambda local: (local.label, local.size), bars, send)
        return shown(screen, done, before, ended, len(locals), last, _again(options, len(locals)))


def _again(options: Namespace, number: int) -> str:
    """How to go on after Ctrl-C without storing a file twice."""
    if options.recursive:
        return "Run it again: what is stored already is skipped."
    if number == 1:
        return "Run it again."
    return "Send again those that have no line of their own: only --recursive skips what is stored already."


def _foreseen(local: Local) -> Outcome:
    """What sending it would come to. Raises OSError for a file that can't be read; a pipe is not opened."""
    if local.path and local.size is not None:
        local.path.open("rb").close()
    amount = "?" if local.size is None else size(local.size)
    return Outcome("would upload", local.label, f"would upload  {amount}  {local.label}", local.size or 0)


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
