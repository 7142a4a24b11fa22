"""The command `flask sweep`."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask

from models import UploadStatus
from services import current_services
from sweep.report import KINDS
from tests.harness.factories import EXPIRED, claimed_file, reload


def run(app: Flask, *args: str) -> Any:
    ran = app.test_cli_runner().invoke(args=["sweep", *args])
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_the_command_stores_pending_files_without_web_service_or_redis(app: Flask) -> None:
    rows = [claimed_file("async", EXPIRED), claimed_file("celery", EXPIRED)]
    output = json.loads(run(app, "--once", "--json"))

    assert [reload(row).upload_status for row in rows] == ["COMPLETE", "COMPLETE"]
    assert (output["dry_run"], output["counts"]["dispatched"], len(output["found"])) == (False, 2, 4)


def test_a_dry_run_of_the_command_only_reports(app: Flask) -> None:
    row = claimed_file("async", EXPIRED)
    output = run(app, "--dry-run")

    assert reload(row).upload_status == UploadStatus.PROCESSING
    assert f"     1  {KINDS['reclaimed']}\n" in output
    assert list(current_services().storage.list_objects()) == []
