"""Errors in the words of the command, and how it ends: each exit code for real, Ctrl-C, a stdout that takes nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ferry_client.shell.exits import Exit

from tests.client.conftest import Run, Shell, environment
from tests.client.fake import Fake, Handler, refuse


@pytest.mark.parametrize(
    ("status", "slug", "told"),
    [
        (401, "unauthorized", "Set --key or FERRY_KEY."),
        (403, "scope-missing", "Set --key or FERRY_KEY to a key that may."),
        (404, "not-found", "not-found"),
    ],
)
def test_an_error_names_the_option_that_mends_it(fake: Fake, shell: Shell, status: int, slug: str, told: str) -> None:
    fake.instead = [refuse(status, slug)]
    code, _, err = shell("ls", "--url", fake.url)

    assert (code, err.count("\n")) == (Exit.FAILED, 1)
    assert told in err
    assert f"({slug})" in err
    assert "Authorization" not in err


def test_what_the_key_lacks_is_said(fake: Fake, shell: Shell) -> None:
    said = {"type": "/problems/scope-missing", "title": "x", "detail": "The key may not read.", "scope": "read"}
    fake.instead = [lambda handler: handler.json(403, said)]

    _, _, err = shell("ls", "--url", fake.url)
    assert err == "ferry: The key may not read. Set --key or FERRY_KEY to a key that may. (scope-missing)\n"


def test_too_many_uploads_speak_of_jobs_from_the_first_pause_on(fake: Fake, shell: Shell) -> None:
    fake.instead = [refuse(429, "too-many-uploads", Retry_After="0"), refuse(429, "too-many-uploads")]
    code, _, err = shell("upload", __file__, "--url", fake.url)

    assert code == 0
    pauses = [line for line in err.splitlines() if "again in" in line]
    assert len(pauses) == 2
    assert all("--jobs" in line for line in pauses)


def test_no_patience_is_one_try(fake: Fake, shell: Shell) -> None:
    fake.instead = [refuse(503, "storage-unavailable")]
    code, _, err = shell("ls", "--url", fake.url, "--patience", "0")

    assert (code, len(fake.seen), err.count("\n")) == (Exit.FAILED, 1, 1)


def _interrupted(fake: Fake, *argv: object, ends: int) -> tuple[int, str]:
    """The command's code and stderr, after Ctrl-C when `ends` requests were answered and the next one is held."""
    asked, held = threading.Event(), threading.Event()

    def hold(_: Handler) -> None:
        asked.set()
        held.wait(60)

    fake.instead = [*[_answered] * ends, *[hold] * 9]
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, *map(str, argv)]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert asked.wait(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=40)
    held.set()
    return process.returncode, err


def _answered(handler: Handler) -> None:
    """As if nothing stood in `instead`."""
    rest, handler.fake.instead = handler.fake.instead, []
    seen = handler.fake.seen[-1]
    if seen.method == "GET":
        handler.list(seen)
    else:
        handler.upload(seen, "normal")
    handler.fake.instead = rest


@pytest.mark.parametrize(
    ("argv", "ends", "told"),
    [
        (
            ("upload", "--jobs", "1", "-r"),
            3,
            "files not finished. Run it again: what is stored already is skipped.",
        ),
        (("upload", "--jobs", "1", "-r", "--quiet"), 3, "files not finished. Run it again"),
    ],
)
def test_ctrl_c_says_how_many_are_missing(
    fake: Fake, folder: Path, argv: tuple[str, ...], ends: int, told: str
) -> None:
    code, err = _interrupted(fake, *argv, folder, ends=ends)

    assert code == Exit.INTERRUPTED
    # Whether the second file's line was printed before the signal is a race.
    assert re.search(rf"^ferry: interrupted: [23] of 4 {re.escape(told)}", err, re.MULTILINE)
    assert "Traceback" not in err


def test_ctrl_c_of_named_files_does_not_promise_to_skip(fake: Fake, folder: Path) -> None:
    code, err = _interrupted(fake, "upload", "--jobs", "1", folder / "a.txt", folder / "b.txt", ends=1)

    assert code == Exit.INTERRUPTED
    # Whether the first file's line was printed before the signal is a race.
    advice = "Send again those that have no line of their own"
    assert re.search(rf"interrupted: [12] of 2 files not finished\. {advice}", err)


@pytest.mark.parametrize("argv", [("ls",), ("ls", "--json"), ("--version",), ("help",)], ids=" ".join)
def test_a_stdout_that_takes_nothing_is_a_failure_in_one_line(fake: Fake, argv: tuple[str, ...]) -> None:
    fake.add(b"x")
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, *argv]
    env = {name: value for name, value in environment().items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        ran = subprocess.run(command, env=env, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)

    assert (ran.returncode, ran.stderr) == (Exit.FAILED, "ferry: No space left on device\n")


def test_a_closed_stdout_is_a_failure_in_one_line(fake: Fake) -> None:
    fake.add(b"x")
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, "ls"]
    ran = subprocess.run(
        command, env=environment(), stderr=subprocess.PIPE, text=True, timeout=60, preexec_fn=lambda: os.close(1)
    )

    assert (ran.returncode, ran.stderr) == (Exit.FAILED, "ferry: Bad file descriptor\n")


@pytest.mark.parametrize("argv", [("status", "\udcff"), ("rm", "\udcff"), ("link", "\udcff"), ("download", "\udcff")])
def test_an_id_that_is_not_utf_8_is_unknown(fake: Fake, command: Run, argv: tuple[str, ...]) -> None:
    ran = command(fake.url, *argv)

    assert ran.returncode == Exit.FAILED
    assert "not-found" in ran.stderr


def test_a_prefix_that_is_not_utf_8_finds_what_was_sent_so(fake: Fake, command: Run) -> None:
    fake.add(b"x", "?.txt")

    assert command(fake.url, "ls", "--prefix", "\udcff").stdout.endswith("?.txt\n")


def test_a_manifest_that_is_missing_is_named(fake: Fake, command: Run, tmp_path: Path) -> None:
    ran = command(fake.url, "download", "--manifest", tmp_path / "none")

    assert (ran.returncode, ran.stderr) == (1, f"ferry: {tmp_path / 'none'}: No such file or directory\n")


def test_a_link_that_ferry_would_refuse_is_wrong_usage(fake: Fake, shell: Shell) -> None:
    id = fake.add(b"x")

    assert shell("link", id, "--expires-in", "16m", "--url", fake.url)[0] == Exit.USAGE
    assert shell("link", id, "--expires-in", "15m", "--url", fake.url)[0] == Exit.OK
