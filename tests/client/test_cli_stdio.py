"""`ferry upload -` and `ferry download ID --to -`: standard input and output."""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import Run, environment
from tests.client.fake_server import FakeServer, respond_problem
from tests.client.terminal import Terminal
from tests.client.test_client_downloads import BODY, range_headers
from tests.harness.stack import Stack


def command(url: str, *argv: object) -> list[str]:
    return [sys.executable, "-m", "ferry_client", "--url", url, *map(str, argv)]


def piped(url: str, *argv: object, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """Like `run`, but with bytes."""
    ran = subprocess.run(command(url, *argv), env=environment(), capture_output=True, timeout=60, **more)
    assert b"Traceback" not in ran.stderr
    return ran


@pytest.mark.parametrize(("more", "name"), [((), "stdin"), (("--name", "a.txt"), "a.txt")])
def test_stdin_is_sent_chunked(fake: FakeServer, more: tuple[str, ...], name: str) -> None:
    ran = piped(fake.url, "upload", "-", *more, input=BODY)

    assert (ran.returncode, ran.stderr.split(b";")[0]) == (0, b"1 sent, 0 skipped, 0 failed")
    assert ran.stdout.split()[-1].decode() == name
    assert (fake.requests[0].query["name"], fake.requests[0].body) == (name, BODY)
    assert "Content-Length" not in fake.requests[0].headers
    assert fake.requests[0].headers["Content-Type"] == ("text/plain" if name == "a.txt" else "application/octet-stream")


def test_stdin_waits_for_the_first_byte_only() -> None:
    script = """
from ferry_client.cli.stdio import open_stdin
print("begun", flush=True)
stream = open_stdin()
print("ready", flush=True)
print(stream.read(1 << 20), flush=True)"""
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        too_long = threading.Timer(20, process.kill)
        too_long.start()
        assert process.stdout.readline() == b"begun\n"
        silent = not select.select([process.stdout], [], [], 0.3)[0]
        process.stdin.write(b"x")
        process.stdin.flush()

        assert silent
        assert process.stdout.readline() == b"ready\n"
        assert process.stdout.readline() == b"b'x'\n"
        too_long.cancel()


def test_a_file_on_stdin_is_sent_from_its_position_and_retried(fake: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"headbody")
    fake.overrides = [respond_problem(503, "storage-unavailable", Retry_After="0")]
    with (tmp_path / "a").open("rb") as stream:
        os.lseek(stream.fileno(), 4, os.SEEK_SET)
        ran = piped(fake.url, "upload", "-", stdin=stream)

    assert ran.returncode == 0
    assert [(request.body, request.headers["Content-Length"]) for request in fake.requests] == [(b"body", "4")] * 2


def test_a_pipe_on_stdin_is_not_retried(fake: FakeServer) -> None:
    fake.overrides = [respond_problem(503, "storage-unavailable", Retry_After="0")]

    ran = piped(fake.url, "upload", "-", input=b"x")

    assert (ran.returncode, len(fake.requests), fake.files) == (1, 1, {})
    assert ran.stderr.startswith(b"ferry: stdin: storage-unavailable")


def test_a_closed_stdin_fails(fake: FakeServer) -> None:
    closed = " ".join(command(fake.url, "upload", "-")) + " <&-"
    ran = subprocess.run(closed, shell=True, env=environment(), capture_output=True, text=True, timeout=60)

    assert (ran.returncode, fake.requests) == (1, [])
    assert ran.stderr.startswith("ferry: stdin: Bad file descriptor\n")


@pytest.mark.parametrize(("name", "closed"), [("stdin", "<&-"), ("stdout", ">&-")])
def test_a_reused_descriptor_of_a_closed_stream_is_not_touched(tmp_path: Path, name: str, closed: str) -> None:
    script = f"""
from ferry_client.cli.stdio import open_{name}
with open("other", "w+b", buffering=0) as other:
    assert other.fileno() == {int(name == "stdout")}
    try:
        open_{name}()
    except OSError as error:
        raise SystemExit(error.errno)"""
    shell = f'{sys.executable} -c "$SCRIPT" {closed}'
    env = environment() | {"SCRIPT": script}

    assert subprocess.run(shell, shell=True, env=env, cwd=tmp_path, timeout=60).returncode == errno.EBADF


def test_stdin_beside_a_folder_is_never_skipped(fake: FakeServer, folder: Path) -> None:
    for summary in (b"5 sent, 0 skipped", b"1 sent, 4 skipped"):
        assert piped(fake.url, "upload", "-r", folder, "-", input=b"x").stderr.startswith(summary)


def test_name_sets_the_name_on_the_server(fake: FakeServer, run: Run, folder: Path) -> None:
    assert run(fake.url, "upload", folder / "a.txt", "--name", "b.csv").returncode == 0
    assert (fake.requests[0].query["name"], fake.requests[0].headers["Content-Type"]) == ("b.csv", "text/csv")


def test_a_named_pipe_on_the_command_line_is_read(fake: FakeServer, tmp_path: Path) -> None:
    """Even if the server has a file of its name and of the size that a pipe reports."""
    os.mkfifo(tmp_path / "pipe")
    fake.add(b"", "pipe")
    threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[BODY], daemon=True).start()

    assert piped(fake.url, "upload", "-r", tmp_path / "pipe").returncode == 0
    assert fake.requests[-1].body == BODY


def test_a_file_named_dash_is_sent_by_its_path(fake: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "-").write_bytes(b"x")

    assert piped(fake.url, "upload", "./-", cwd=tmp_path, input=b"not this").returncode == 0
    assert (fake.requests[0].query["name"], fake.requests[0].body) == ("-", b"x")


@pytest.mark.parametrize(
    "argv",
    [
        ("upload", "-", "-"),
        ("upload", "a", "b", "--name", "c"),
        ("upload", "-r", "a", "--name", "c"),
        ("download", "--prefix", "a", "--to", "-"),
        ("download", "a", "b", "--to", "-"),
    ],
)
def test_contradicting_options_are_wrong_usage(fake: FakeServer, run: Run, argv: tuple[str, ...]) -> None:
    ran = run(fake.url, *argv)

    assert (ran.returncode, fake.requests) == (2, [])
    assert ran.stderr.startswith("usage: ")


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_stdout_gets_only_the_bytes(fake: FakeServer, more: tuple[str, ...]) -> None:
    ran = piped(fake.url, "download", fake.add(BODY), "--to", "-", *more)

    assert (ran.returncode, ran.stdout) == (0, BODY)
    first, last = ran.stderr.splitlines()
    assert first.startswith(b'{"outcome": "fetched"' if more else b"fetched  id-0")
    assert last.startswith(b"1 fetched, 0 skipped, 0 failed; 3.0 MB in ")


def test_an_interrupted_download_to_stdout_is_resumed(fake: FakeServer) -> None:
    fake.truncate_content_at = [1_000_000]

    ran = piped(fake.url, "download", fake.add(BODY), "--to", "-")

    assert (ran.returncode, ran.stdout) == (0, BODY)
    assert range_headers(fake) == [None, "bytes=1000000-"]


def test_a_download_to_stdout_that_can_not_be_resumed_fails(fake: FakeServer) -> None:
    id = fake.add(BODY)
    fake.truncate_content_at = [1000]
    fake.overrides = [
        lambda handler: handler.json(200, fake.files[id]),
        lambda handler: handler.content(fake.requests[-1], id),
        lambda handler: handler.respond(200, BODY),
    ]

    ran = piped(fake.url, "download", id, "--to", "-")

    assert (ran.returncode, ran.stdout) == (1, BODY[:1000])
    assert b"cut-short" in ran.stderr
    assert b"0 fetched, 0 skipped, 1 failed" in ran.stderr


def test_an_unknown_file_leaves_stdout_empty(fake: FakeServer) -> None:
    ran = piped(fake.url, "download", "unknown", "--to", "-")

    assert (ran.returncode, ran.stdout, ran.stderr) == (1, b"", b"ferry: not-found (not-found)\n")


def test_a_closed_pipe_on_stdout_ends_quietly(fake: FakeServer) -> None:
    shell = " ".join(command(fake.url, "download", fake.add(BODY), "--to", "-")) + " | head -c 5"
    ran = subprocess.run(shell, shell=True, env=environment(), capture_output=True, timeout=60)

    assert ran.stdout == BODY[:5]
    assert ran.stderr.startswith(b"0 fetched, 0 skipped, 0 failed")
    assert ran.stderr.count(b"\n") == 1


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_bytes_round_trip_through_pipes(stack: Stack, mode: str) -> None:
    sent = piped(stack.url, "upload", "-", "--mode", mode, input=BODY)
    id = sent.stdout.split()[1].decode()
    assert stack.ended(id)["status"] == "COMPLETE"

    assert piped(stack.url, "download", id, "--to", "-").stdout == BODY


def test_a_download_to_a_terminal_shows_no_bar(fake: FakeServer, tmp_path: Path) -> None:
    id = fake.add(b"first\nlast\n")
    with Terminal(command(fake.url, "download", id, "--to", "-"), tmp_path, environment()) as terminal:
        code = terminal.exit_code()

    assert (code, terminal.lines[:2]) == (0, ["first", "last"])
    assert [line.split()[0] for line in terminal.lines[2:]] == ["fetched", "1"]


def test_an_upload_typed_into_a_terminal_shows_no_bar(fake: FakeServer, tmp_path: Path) -> None:
    with Terminal(command(fake.url, "upload", "-"), tmp_path, environment()) as terminal:
        terminal.press("typed\n\x04")
        code = terminal.exit_code()

    assert (code, terminal.lines[0], fake.requests[0].body) == (0, "typed", b"typed\n")
    assert [line.split()[0] for line in terminal.lines[1:]] == ["sent", "1"]
