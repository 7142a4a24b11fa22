"""`flask sweep`: one sweep, or a loop. It stores waiting files itself, whatever their mode."""

from __future__ import annotations

import json
import signal
import threading

import click
from flask.cli import with_appcontext

import config
import file
import logs
from models import FileRow
from sweep.orphans import sweep_multipart_uploads, sweep_objects, sweep_spool
from sweep.report import KINDS, Report
from sweep.rows import sweep_deleted, sweep_failed, sweep_files


@click.command()
@click.option("--once", is_flag=True, help="Sweep once and exit. Otherwise repeat until stopped.")
@click.option("--dry-run", is_flag=True, help="Only report what would be done, once.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per sweep.")
@with_appcontext
def sweep(once: bool, dry_run: bool, as_json: bool) -> None:
    """Reclaim abandoned files and remove orphans from storage and spool."""
    logs.configure(config.current().log_format, "WARNING")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while True:
        _print(_sweep_once(dry_run), as_json)
        if once or dry_run or stop.wait(config.current().sweep_interval):
            return


def _sweep_once(dry_run: bool) -> Report:
    report = Report(dry_run)
    sweep_files(report, _store)
    sweep_failed(report)
    sweep_deleted(report)
    sweep_spool(report)
    sweep_multipart_uploads(report)
    sweep_objects(report)
    return report


def _store(row: FileRow) -> None:
    """Store the file in this process: the web service and Redis may not be running."""
    file.upload_file(row.id)


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        found = [{"kind": kind, "subject": subject} for kind, subject in report.found]
        click.echo(json.dumps({"dry_run": report.dry, "counts": report.counts, "found": found}))
        return
    for kind, count in report.counts.items():
        click.echo(f"{count:6}  {KINDS[kind]}")
