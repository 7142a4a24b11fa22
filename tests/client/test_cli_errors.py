"""Error messages and exit codes of the command, Ctrl-C, and an unusable stdout."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ferry_client.cli.exit_codes import ExitCode

from tests.client.conftest import Run, Shell, environment
from tests.client.fake_server import FakeServer, Handler, respond_problem


@pytest.mark.parametrize(
    ("status", "slug", "reported"),
    [
        (401, "unauthorized", "Set --key or FERRY_KEY."),
        (403, "scope-missing", "Set --key or FERRY_KEY to a key with this scope."),
        (404, "not-found", "not-found"),
    ],
)
def test_an_error_names_the_option_that_fixes_it(
    fake: FakeServer, shell: Shell, status: int, slug: str, reported: str
) -> None:
    fake.overrides = [respond_problem(status, slug)]
    code, _, err = shell("ls", "--url", fake.url)

    assert (code, err.count("\n")) == (ExitCode.FAILED, 1)
    assert reported in err
    assert f"({slug})" in err
    assert "Authorization" not in err


def test_a_missing_scope_is_reported_with_the_servers_detail(fake: FakeServer, shell: Shell) -> None:
    problem = {"type": "/problems/scope-missing", "title": "x", "detail": "The key lacks the scope.", "scope": "read"}
    fake.overrides = [lambda handler: handler.json(403, problem)]

    _, _, err = shell("ls", "--url", fake.url)
    assert err == "ferry: The key lacks the scope. Set --key or FERRY_KEY to a key with this scope. (scope-missing)\n"


def test_too_many_uploads_names_jobs_at_each_retry(fake: FakeServer, shell: Shell) -> None:
    fake.overrides = [
        respond_problem(429, "too-many-uploads", Retry_After="0"),
        respond_problem(429, "too-many-uploads"),
    ]
    code, _, err = shell("upload", __file__, "--url", fake.url)

    assert code == 0
    pauses = [line for line in err.splitlines() if "again in" in line]
    assert len(pauses) == 2
    assert all("--jobs" in line for line in pauses)


def test_retry_max_time_0_disables_retries(fake: FakeServer, shell: Shell) -> None:
    fake.overrides = [respond_problem(503, "storage-unavailable")]
    code, _, err = shell("ls", "--url", fake.url, "--retry-max-time", "0")

    assert (code, len(fake.requests), err.count("\n")) == (ExitCode.FAILED, 1, 1)


def _interrupted(fake: FakeServer, *argv: object, ends: int) -> tuple[int, str]:
    """Return exit code and stderr after a Ctrl-C during request `ends` + 1."""
    requested, release = threading.Event(), threading.Event()

    def hold(_: Handler) -> None:
        requested.set()
        release.wait(60)

    fake.overrides = [*[_respond_normally] * ends, *[hold] * 9]
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, *map(str, argv)]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert requested.wait(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=40)
    release.set()
    return process.returncode, err


def _respond_normally(handler: Handler) -> None:
    """Respond as without overrides."""
    rest, handler.fake.overrides = handler.fake.overrides, []
    request = handler.fake.requests[-1]
    if request.method == "GET":
        handler.list(request)
    else:
        handler.upload(request, "normal")
    handler.fake.overrides = rest


@pytest.mark.parametrize(
    ("argv", "ends", "reported"),
    [
        (
            ("upload", "--jobs", "1", "-r"),
            3,
            "files not finished. Run it again: what is stored already is skipped.",
        ),
        (("upload", "--jobs", "1", "-r", "--quiet"), 3, "files not finished. Run it again"),
    ],
)
def test_ctrl_c_reports_the_unfinished_files(
    fake: FakeServer, folder: Path, argv: tuple[str, ...], ends: int, reported: str
) -> None:
    code, err = _interrupted(fake, *argv, folder, ends=ends)

    assert code == ExitCode.INTERRUPTED
    # The second file's line may or may not be printed before the signal.
    assert re.search(rf"^ferry: interrupted: [23] of 4 {re.escape(reported)}", err, re.MULTILINE)
    assert "Traceback" not in err


def test_ctrl_c_of_named_files_promises_no_skipping(fake: FakeServer, folder: Path) -> None:
    code, err = _interrupted(fake, "upload", "--jobs", "1", folder / "a.txt", folder / "b.txt", ends=1)

    assert code == ExitCode.INTERRUPTED
    # The first file's line may or may not be printed before the signal.
    advice = "Upload again the files without a line of their own"
    assert re.search(rf"interrupted: [12] of 2 files not finished\. {advice}", err)


@pytest.mark.parametrize("argv", [("ls",), ("ls", "--json"), ("--version",), ("help",)], ids=" ".join)
def test_a_full_stdout_fails_with_one_line(fake: FakeServer, argv: tuple[str, ...]) -> None:
    fake.add(b"x")
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, *argv]
    env = {name: value for name, value in environment().items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        ran = subprocess.run(command, env=env, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)

    assert (ran.returncode, ran.stderr) == (ExitCode.FAILED, "ferry: No space left on device\n")


def test_a_closed_stdout_fails_with_one_line(fake: FakeServer) -> None:
    fake.add(b"x")
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, "ls"]
    ran = subprocess.run(
        command, env=environment(), stderr=subprocess.PIPE, text=True, timeout=60, preexec_fn=lambda: os.close(1)
    )

    assert (ran.returncode, ran.stderr) == (ExitCode.FAILED, "ferry: Bad file descriptor\n")


@pytest.mark.parametrize("argv", [("status", "\udcff"), ("rm", "\udcff"), ("link", "\udcff"), ("download", "\udcff")])
def test_an_id_that_is_not_utf8_is_not_found(fake: FakeServer, command: Run, argv: tuple[str, ...]) -> None:
    ran = command(fake.url, *argv)

    assert ran.returncode == ExitCode.FAILED
    assert "not-found" in ran.stderr


def test_a_prefix_that_is_not_utf8_matches_the_stored_name(fake: FakeServer, command: Run) -> None:
    fake.add(b"x", "?.txt")

    assert command(fake.url, "ls", "--prefix", "\udcff").stdout.endswith("?.txt\n")


def test_a_missing_manifest_is_named(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    ran = command(fake.url, "download", "--manifest", tmp_path / "none")

    assert (ran.returncode, ran.stderr) == (1, f"ferry: {tmp_path / 'none'}: No such file or directory\n")


def test_a_link_lifetime_above_15_minutes_is_wrong_usage(fake: FakeServer, shell: Shell) -> None:
    id = fake.add(b"x")

    assert shell("link", id, "--expires-in", "16m", "--url", fake.url)[0] == ExitCode.USAGE
    assert shell("link", id, "--expires-in", "15m", "--url", fake.url)[0] == ExitCode.OK
