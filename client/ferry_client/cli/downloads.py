"""`ferry download`."""

from __future__ import annotations

import time
from argparse import Namespace

from ferry_client.cli.formatting import format_dry_run
from ferry_client.cli.local_files import has_same_content
from ferry_client.cli.output import Outcome, Output
from ferry_client.cli.plan import PlannedDownload, plan_downloads
from ferry_client.cli.stdio import DASH, open_stdout
from ferry_client.cli.transfers import ByteCounter, Report, file_outcome, limit_jobs, run_all, summary_since
from ferry_client.ferry import Ferry
from ferry_client.files import File
from ferry_client.request_body import ProgressCallback

_RESUME_HINT = "Run it again: what is here already is skipped, and what was cut goes on."


def validate(options: Namespace) -> str | None:
    """Return an error message for invalid options, or None."""
    if options.to == DASH and (len(options.id) != 1 or options.dry_run):
        return "--to - writes one file: one ID, without --dry-run"
    return None


def download(ferry: Ferry, options: Namespace, output: Output) -> int:
    """Download files; skip those that exist with the same content."""
    if options.to == DASH:
        return _download_to_stdout(ferry, options, output.to_stderr())
    started = time.monotonic()
    items, failed = plan_downloads(ferry, options)
    report = Report("fetched", summary_since(started), _RESUME_HINT)
    if options.dry_run:
        report = Report("would download", format_dry_run, _RESUME_HINT)
    with output.progress([item.file.size for item in items]) as progress:
        outcomes = run_all(
            limit_jobs(options.jobs, options.limit_rate), items,
            lambda item: (str(item.target), item.file.size), progress,
            lambda item, on_progress: _fetch(ferry, options, item, on_progress),
        )  # fmt: skip
        return report.write(output, failed, outcomes, len(items))


def _fetch(ferry: Ferry, options: Namespace, item: PlannedDownload, on_progress: ProgressCallback | None) -> Outcome:
    file, target = item.file, item.target
    exists = target.exists()
    if exists and has_same_content(target, file):
        if on_progress:
            on_progress(file.size or 0, file.size)
        return file_outcome("skipped", file, str(target), 0)
    if exists and not options.force:
        raise FileExistsError(0, "is there already and differs: --force replaces it", str(target))
    if options.dry_run:
        return file_outcome("would download", file, str(target), file.size or 0)
    target.parent.mkdir(parents=True, exist_ok=True)
    counter = ByteCounter(on_progress)
    ferry.download(file, target, on_progress=counter)
    return file_outcome("fetched", file, str(target), counter.bytes)


def _download_to_stdout(ferry: Ferry, options: Namespace, output: Output) -> int:
    started = time.monotonic()
    file = ferry.status(options.id[0])

    def write(file: File, on_progress: ProgressCallback | None) -> Outcome:
        with open_stdout() as stream:
            ferry.download_into(file, stream, on_progress=on_progress)
        return file_outcome("fetched", file, DASH, file.size or 0)

    with output.progress([file.size]) as progress:
        outcomes = run_all(1, [file], lambda file: (file.name, file.size), progress, write)
        return Report("fetched", summary_since(started)).write(output, [], outcomes, 1)
