"""`ferry upload`."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence

from ferry_client.cli.formatting import format_dry_run, format_size
from ferry_client.cli.local_files import IgnoredEntry, LocalFile, find_files
from ferry_client.cli.output import Outcome, Output
from ferry_client.cli.remote_index import RemoteIndex
from ferry_client.cli.stdio import DASH, STDIN_NAME, open_stdin, stdin_is_terminal
from ferry_client.cli.transfers import Report, file_outcome, limit_jobs, run_all, summary_since
from ferry_client.ferry import Ferry
from ferry_client.problems import ScopeMissing
from ferry_client.request_body import ProgressCallback

MIN_UPLOAD_RATE = 10_000
"""Bytes per second: the server's default. A slower body is answered with 408 after half a minute."""


def validate(options: Namespace) -> str | None:
    """Return an error message for invalid options, or None."""
    if (options.limit_rate or MIN_UPLOAD_RATE) < MIN_UPLOAD_RATE:
        return "--limit-rate of uploads is at least 10k: Ferry gives up bodies that are slower (its MIN_UPLOAD_RATE)"
    if options.path.count(DASH) > 1:
        return "- is standard input: it can be sent once"
    if options.name and (len(options.path) > 1 or options.recursive):
        return "--name names one file: one PATH, without --recursive"
    return None


def upload(ferry: Ferry, options: Namespace, output: Output) -> int:
    """Upload files; with --recursive, skip those that the server has."""
    started = time.monotonic()
    found = list(
        find_files(options.path, recursive=options.recursive, stdin_name=_stdin_name(options), exclude=options.exclude)
    )
    locals = [item for item in found if isinstance(item, LocalFile)]
    not_sent = [_not_sent(item) for item in found if not isinstance(item, LocalFile)]
    index = _remote_index(ferry, locals, options.expires_in, output) if options.recursive else None
    report = Report("sent", summary_since(started), _resume_hint(options, len(locals)))
    if options.dry_run:
        report = Report("would upload", format_dry_run, report.resume_hint)

    def send(local: LocalFile, on_progress: ProgressCallback | None) -> Outcome:
        if index and (stored := index.claim(local)):
            if on_progress:
                on_progress(stored.size or 0, stored.size)
            return file_outcome("skipped", stored, local.label, 0)
        return _dry_run_outcome(local) if options.dry_run else _send(ferry, options, local, on_progress)

    typed = DASH in options.path and stdin_is_terminal()
    with output.progress([local.size for local in locals], reads_terminal=typed) as progress:
        jobs = limit_jobs(options.jobs, options.limit_rate)
        outcomes = run_all(jobs, locals, lambda local: (local.label, local.size), progress, send)
        return report.write(output, not_sent, outcomes, len(locals))


def _stdin_name(options: Namespace) -> str:
    return options.name or STDIN_NAME


def _send(ferry: Ferry, options: Namespace, local: LocalFile, on_progress: ProgressCallback | None) -> Outcome:
    source, name = (local.path, options.name) if local.path else (open_stdin(), _stdin_name(options))
    file = ferry.upload(source, mode=options.mode, name=name, expires_in=options.expires_in, on_progress=on_progress)
    return file_outcome("sent", file, local.label, file.size or 0)


def _resume_hint(options: Namespace, total: int) -> str:
    """Return how to continue after Ctrl-C without storing a file twice."""
    if options.recursive:
        return "Run it again: what is stored already is skipped."
    if total == 1:
        return "Run it again."
    return "Upload again the files without a line of their own: only --recursive skips stored files."


def _dry_run_outcome(local: LocalFile) -> Outcome:
    """Return the expected outcome. Raises OSError for a file that can't be read; a pipe is not opened."""
    if local.path and local.size is not None:
        local.path.open("rb").close()
    size = "?" if local.size is None else format_size(local.size)
    return Outcome("would upload", local.label, f"would upload  {size}  {local.label}", local.size or 0)


def _not_sent(item: IgnoredEntry | OSError) -> Outcome:
    if isinstance(item, OSError):
        return Outcome("failed", str(item.filename), error=item)
    return Outcome("ignored", item.label, reason=item.reason)


def _remote_index(
    ferry: Ferry, locals: Sequence[LocalFile], expires_in: int | None, output: Output
) -> RemoteIndex | None:
    try:
        return RemoteIndex(ferry, locals, expires_in)
    except ScopeMissing:
        output.error("the key lacks the scope read: files that are stored already are uploaded again")
        return None
