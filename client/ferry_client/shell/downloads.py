"""`ferry download`."""

from __future__ import annotations

import time
from argparse import Namespace

from ferry_client.bodies import Progress
from ferry_client.ferry import Ferry
from ferry_client.files import File
from ferry_client.shell import folders
from ferry_client.shell.screen import Outcome, Screen
from ferry_client.shell.standard import STANDARD, standard_output
from ferry_client.shell.transfers import Moved, each, jobs_within, outcome, shown, took
from ferry_client.shell.wanted import Wanted, wanted
from ferry_client.shell.words import forecast

_AGAIN = "Run it again: what is here already is skipped, and what was cut goes on."


def mistake(options: Namespace) -> str | None:
    """What is wrong with the options, if anything."""
    if options.to == STANDARD and (len(options.id) != 1 or options.dry_run):
        return "--to - writes one file: one ID, without --dry-run"
    return None


def download(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """Fetch files; what is there already is left out."""
    if options.to == STANDARD:
        return _written(ferry, options, screen.aside())
    began = time.monotonic()
    items, failed = wanted(ferry, options)

    jobs, done, last = jobs_within(options.jobs, options.limit_rate), "fetched", took(began)
    if options.dry_run:
        done, last = "would download", forecast

    def fetch(item: Wanted, progress: Progress | None) -> Outcome:
        there = item.to.exists()
        if there and folders.is_same(item.to, item.file):
            if progress:
                progress(item.file.size or 0, item.file.size)
            return outcome("skipped", item.file, str(item.to), 0)
        if there and not options.force:
            raise FileExistsError(0, "is there already and differs: --force replaces it", str(item.to))
        if options.dry_run:
            return outcome(done, item.file, str(item.to), item.file.size or 0)
        item.to.parent.mkdir(parents=True, exist_ok=True)
        moved = Moved(progress)
        ferry.download(item.file, item.to, on_progress=moved)
        return outcome(done, item.file, str(item.to), moved.bytes)

    with screen.bars([item.file.size for item in items]) as bars:
        ended = each(jobs, items, lambda item: (str(item.to), item.file.size), bars, fetch)
        return shown(screen, done, failed, ended, len(items), last, _AGAIN)


def _written(ferry: Ferry, options: Namespace, screen: Screen) -> int:
    """Write one file to standard output, and nothing else."""
    began = time.monotonic()
    file = ferry.status(options.id[0])

    def write(file: File, progress: Progress | None) -> Outcome:
        with standard_output() as stream:
            ferry.download_into(file, stream, on_progress=progress)
        return outcome("fetched", file, STANDARD, file.size or 0)

    with screen.bars([file.size]) as bars:
        ended = each(1, [file], lambda file: (file.name, file.size), bars, write)
        return shown(screen, "fetched", [], ended, 1, took(began))
