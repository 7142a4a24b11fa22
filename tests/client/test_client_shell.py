"""The command `ferry`: what a user and a script see of it."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from ferry_client import Ferry
from ferry_client.shell.folders import Known, Local, found
from ferry_client.shell.pool import at_once
from ferry_client.shell.words import count, duration, printable, size, summary

from dev.process import free_port
from tests.client.conftest import Run, environment
from tests.client.fake import Fake, refuse
from tests.stack import Stack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twins among its files, and one folder deep."""
    for name, body in {"a.txt": "a", "b.txt": "same", "deep/b.txt": "same", "deep/er/c.csv": ","}.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    return tmp_path / "folder"


def lines(ran: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_a_folder_is_sent_once(stack: Stack, run: Run, folder: Path) -> None:
    first = run(stack.url, "upload", "-r", folder)
    (folder / "new.txt").write_text("new")
    second = run(stack.url, "upload", "-r", folder)

    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stderr.startswith("4 sent, 0 skipped, 0 failed; 10 B in ")
    assert second.stderr.startswith("1 sent, 4 skipped, 0 failed; 3 B in ")
    assert sorted(line.split()[0] for line in second.stdout.splitlines()) == ["sent", *["skipped"] * 4]


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_each_mode_can_be_asked_for(stack: Stack, run: Run, folder: Path, mode: str) -> None:
    ran = run(stack.url, "upload", folder / "a.txt", "--mode", mode, "--json")
    [line] = lines(ran)

    assert line["outcome"] == "sent"
    assert line["file"]["mode"] == mode  # type: ignore[index]
    assert run(stack.url, "status", line["file"]["id"], "--watch").returncode == 0  # type: ignore[index]


def test_a_changed_file_is_sent_again(fake: Fake, run: Run, folder: Path) -> None:
    run(fake.url, "upload", "-r", folder)
    (folder / "a.txt").write_text("b")

    assert run(fake.url, "upload", "-r", folder).stderr.startswith("1 sent, 3 skipped")


def test_what_the_server_does_not_have_whole_is_sent_again(fake: Fake, run: Run, folder: Path) -> None:
    run(fake.url, "upload", "-r", folder)
    for status, id in zip(("PENDING", "ERROR"), fake.files, strict=False):
        fake.become(id, status)

    assert run(fake.url, "upload", "-r", folder).stderr.startswith("2 sent, 2 skipped")


def test_a_key_that_may_only_upload_sends_everything(fake: Fake, run: Run, folder: Path) -> None:
    fake.instead = [refuse(403, "scope-missing")]

    ran = run(fake.url, "upload", "-r", folder)

    assert ran.returncode == 0
    assert "may not read" in ran.stderr
    assert "4 sent, 0 skipped" in ran.stderr


def test_single_files_are_sent_as_often_as_asked(fake: Fake, run: Run, folder: Path) -> None:
    for _ in range(2):
        assert run(fake.url, "upload", folder / "a.txt").stderr.startswith("1 sent")
    assert [seen.method for seen in fake.seen] == ["POST", "POST"]


def test_a_folder_comes_back_as_it_was(fake: Fake, run: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "sent.jsonl").write_text(run(fake.url, "upload", "-r", folder, "--json").stdout)
    back = tmp_path / "back"

    ran = run(fake.url, "download", "--manifest", tmp_path / "sent.jsonl", "--to", back)

    assert (ran.returncode, ran.stderr.split(";")[0]) == (0, "4 fetched, 0 skipped, 0 failed")
    assert _tree(back / "folder") == _tree(folder)
    again = run(fake.url, "download", "--manifest", tmp_path / "sent.jsonl", "--to", back)
    assert again.stderr.startswith("0 fetched, 4 skipped")


@pytest.mark.parametrize("path", ["../out", "/out", "a/../../out"])
def test_a_manifest_does_not_lead_out_of_the_folder(fake: Fake, run: Run, tmp_path: Path, path: str) -> None:
    line = {"outcome": "sent", "path": path, "file": {"id": fake.add(b"x")}}
    (tmp_path / "evil.jsonl").write_text(json.dumps(line))

    ran = run(fake.url, "download", "--manifest", tmp_path / "evil.jsonl", "--to", tmp_path / "in")

    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "leads out of the folder" in ran.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["evil.jsonl"]


def test_files_of_one_prefix_come_into_a_folder(fake: Fake, run: Run, tmp_path: Path) -> None:
    for name, body in (("a1", b"1"), ("a1", b"2"), ("b", b"3")):
        fake.add(body, name)

    run(fake.url, "download", "--prefix", "a", "--to", tmp_path / "new")

    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == {"a1": b"2", "a1 (2)": b"1"}


def test_what_is_there_is_replaced_only_by_force(fake: Fake, run: Run, tmp_path: Path) -> None:
    id = fake.add(b"new", "a")
    (tmp_path / "a").write_text("old")

    ran = run(fake.url, "download", id, "--to", tmp_path)
    assert (ran.returncode, (tmp_path / "a").read_text()) == (1, "old")
    assert "--force" in ran.stderr
    assert run(fake.url, "download", id, "--to", tmp_path, "--force").returncode == 0
    assert (tmp_path / "a").read_text() == "new"


def test_one_file_can_be_given_a_name(fake: Fake, run: Run, tmp_path: Path) -> None:
    assert run(fake.url, "download", fake.add(b"x", "a"), "--to", tmp_path / "mine").returncode == 0
    assert (tmp_path / "mine").read_bytes() == b"x"


def test_unknown_ids_fail_and_the_rest_comes(fake: Fake, run: Run, tmp_path: Path) -> None:
    ran = run(fake.url, "download", fake.add(b"x", "a"), "nobody", "--to", tmp_path, "--json")

    assert ran.returncode == 1
    assert [(line["outcome"], line["path"]) for line in lines(ran)] == [
        ("failed", "nobody"),
        ("fetched", str(tmp_path / "a")),
    ]


def test_a_list_is_a_line_a_file(fake: Fake, run: Run) -> None:
    fake.add(b"x" * 1234, "a.txt")
    fake.add(b"x", "b.txt", status="ERROR", error="storage-denied")

    assert [line.split() for line in run(fake.url, "ls").stdout.splitlines()] == [
        ["id-1", "ERROR", "1", "B", "2026-11-20", "10:24", "b.txt", "storage-denied"],
        ["id-0", "COMPLETE", "1.2", "kB", "2026-11-20", "10:24", "a.txt"],
    ]
    assert [line["id"] for line in lines(run(fake.url, "ls", "--status", "COMPLETE", "--json"))] == ["id-0"]


def test_a_list_whose_reader_goes_away_ends_quietly(fake: Fake) -> None:
    for _ in range(3000):
        fake.add(b"x", "n" * 200)
    command = f"{sys.executable} -m ferry_client --url {fake.url} ls | head -1"
    ran = subprocess.run(command, shell=True, env=environment(), capture_output=True, text=True, timeout=60)

    assert (ran.stdout.count("\n"), ran.stderr) == (1, "")


def test_a_name_that_the_terminal_can_not_show_is_shown_as_far_as_it_can(fake: Fake) -> None:
    fake.add(b"x", "größe")
    env = environment() | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, "ls"]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)

    assert (ran.returncode, ran.stdout.split()[-1]) == (0, "gr??e")


def test_a_name_on_disk_that_is_no_text_is_sent_all_the_same(fake: Fake, run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "folder") + b"/a\xff.txt")).write_text("x")

    assert run(fake.url, "upload", "-r", tmp_path / "folder").returncode == 0
    assert fake.seen[-1].query["name"] == "a?.txt"
    assert run(fake.url, "upload", "-r", tmp_path / "folder").stderr.startswith("0 sent, 1 skipped")


def test_the_status_of_a_failed_file_is_a_failure(fake: Fake, run: Run) -> None:
    good, bad = fake.add(b"x"), fake.add(b"x", status="ERROR")

    assert run(fake.url, "status", good).returncode == 0
    assert run(fake.url, "status", good, bad).returncode == 1
    assert run(fake.url, "status", "nobody").returncode == 1


def test_files_are_removed(fake: Fake, run: Run) -> None:
    ran = run(fake.url, "rm", fake.add(b"x"), "nobody")

    assert (ran.returncode, ran.stdout, fake.files) == (1, "deleted  id-0\n", {})
    assert ran.stderr.startswith("ferry: nobody: ")


def test_one_that_fails_does_not_keep_the_others(fake: Fake, run: Run, folder: Path) -> None:
    fake.instead = [refuse(413, "too-large")]

    ran = run(fake.url, "upload", folder / "a.txt", folder / "b.txt", folder / "none", folder, "--jobs", 1)

    assert ran.returncode == 1
    assert ran.stderr.splitlines()[:3] == [
        f"ferry: {folder / 'none'}: No such file or directory",
        f"ferry: {folder}: is a folder: --recursive sends what is in it",
        "ferry: a.txt: too-large (too-large)",
    ]
    assert ran.stderr.splitlines()[3].startswith("1 sent, 0 skipped, 3 failed")


def test_a_script_gets_the_problem(fake: Fake, run: Run, folder: Path) -> None:
    fake.instead = [refuse(413, "too-large")]

    [line] = lines(run(fake.url, "upload", folder / "a.txt", "--json"))

    assert line == {
        "outcome": "failed", "path": "a.txt", "problem": {"slug": "too-large", "status": 413, "detail": "too-large"}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        ((), 2),
        (("upload",), 2),
        (("upload", "a", "--jobs", "0"), 2),
        (("upload", "a", "--expires-in", "soon"), 2),
        (("download",), 2),
        (("upload", "nothing"), 1),
    ],
)
def test_wrong_usage_is_told_from_failure(fake: Fake, run: Run, argv: tuple[str, ...], code: int) -> None:
    ran = run(fake.url, *argv)

    assert (ran.returncode, "Traceback" in ran.stderr) == (code, False)


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://["])
def test_what_is_no_server_is_one_line(run: Run, url: str) -> None:
    ran = run(url, "ls")

    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)


def test_settings_come_from_the_environment(fake: Fake) -> None:
    env = environment() | {"FERRY_URL": fake.url, "FERRY_KEY": "ferry_k"}
    subprocess.run([sys.executable, "-m", "ferry_client", "ls"], env=env, check=True, timeout=60)

    assert fake.seen[0].headers["Authorization"] == "Bearer ferry_k"


def test_how_long_a_file_lives_can_be_said(fake: Fake, run: Run, folder: Path) -> None:
    run(fake.url, "upload", folder / "a.txt", "--expires-in", "7d")

    assert fake.seen[0].query["expires_in"] == "604800"


def test_a_server_that_is_away_is_waited_for_and_said_so(folder: Path) -> None:
    command = [sys.executable, "-m", "ferry_client", "--url", f"http://127.0.0.1:{free_port()}", "upload"]
    with subprocess.Popen(
        [*command, folder / "a.txt"], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()

    assert first.startswith("ferry: The server can't be reached")
    assert "again in" in first
    assert process.returncode == 130
    assert rest.splitlines()[-1].startswith("0 sent, 0 skipped, 0 failed")
    assert "Traceback" not in rest


def test_ctrl_c_ends_at_once_in_the_middle_of_uploads(fake: Fake, folder: Path) -> None:
    asked, held = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        asked.set()
        held.wait(60)

    fake.instead = [hold] * 4
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, "upload", *map(str, folder.glob("*.txt"))]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert asked.wait(20)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    held.set()

    assert (process.returncode, "Traceback" in err) == (130, False)


def test_a_terminal_sees_bars(fake: Fake, tmp_path: Path) -> None:
    (tmp_path / "large [red].bin").write_bytes(b"x" * (10 << 20))
    (tmp_path / "small.bin").write_bytes(b"x")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ferry_client", "--url", fake.url, "upload", "-r", str(tmp_path)]
    env = environment() | {"TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        screen = _all_of(ours)
        out, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert "2 files" in screen
    assert "MB" in screen
    assert "2 sent, 0 skipped, 0 failed" in screen
    assert sorted(line.split()[0] for line in out.splitlines()) == ["sent", "sent"]


def test_folders_that_are_links_are_not_gone_into(folder: Path) -> None:
    (folder / "circle").symlink_to(folder)
    (folder / "link.txt").symlink_to(folder / "a.txt")
    (folder / "broken").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")

    labels = [each.label if isinstance(each, Local) else type(each) for each in found([str(folder)], recursive=True)]

    assert labels == [
        "folder/a.txt", "folder/b.txt", FileNotFoundError, "folder/link.txt", "folder/deep/b.txt",
        "folder/deep/er/c.csv",
    ]  # fmt: skip


def test_of_twins_each_needs_one_on_the_server(fake: Fake, ferry: Ferry, folder: Path) -> None:
    fake.add(b"same", "b.txt")
    locals = [each for each in found([str(folder)], recursive=True) if isinstance(each, Local)]
    known = Known(ferry, locals)

    taken = [known.take(local) for local in locals if local.path.name == "b.txt"]

    assert [bool(each) for each in taken] == [True, False]


def test_a_large_server_is_asked_name_by_name(fake: Fake, ferry: Ferry, folder: Path) -> None:
    wanted = fake.add(b"a", "a.txt")
    for _ in range(1100):
        fake.add(b"x", "other")

    [local] = [each for each in found([str(folder / "a.txt")], recursive=True) if isinstance(each, Local)]
    file = Known(ferry, [local]).take(local)

    assert file is not None
    assert file.id == wanted
    assert fake.seen[-1].query["prefix"] == "a.txt"
    assert len(fake.seen) <= 12


def test_results_come_as_they_are_ready() -> None:
    gate = threading.Event()

    def call(item: int) -> int:
        if item == 0:
            assert gate.wait(10)
        return item

    results = at_once(2, [0, 1], call)
    assert next(results) == 1
    gate.set()
    assert list(results) == [0]
    assert list(at_once(4, [], call)) == []


def test_a_mistake_in_a_thread_is_heard_of() -> None:
    with pytest.raises(ZeroDivisionError):
        list(at_once(2, [1, 0], lambda item: 1 // item))


@pytest.mark.parametrize(
    ("bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_951, "1.0 MB"), (5e12, "5.0 TB")],
)
def test_sizes_are_short(bytes: float, text: str) -> None:
    assert size(bytes) == text


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604800)])
def test_durations_are_read(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0d", "-1", "1.5h", "d", "1y", "soon"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        duration(text)


@pytest.mark.parametrize("text", ["0", "65", "-1", "x", "1.0", ""])
def test_what_is_no_number_of_jobs_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        count(text)


def test_a_name_does_not_command_the_terminal() -> None:
    assert printable("a\x1b[31m\u202eb\nc") == "a\ufffd[31m\ufffdb\ufffdc"


def test_the_summary_says_how_many_and_how_fast() -> None:
    told = summary({"sent": 100, "skipped": 2, "failed": 1}, 5_000_000, 2.0)

    assert told == "100 sent, 2 skipped, 1 failed; 5.0 MB in 2.0 s: 2.5 MB/s, 50 files/s"


def _tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _all_of(terminal: int) -> str:
    said = b""
    while True:
        try:
            said += os.read(terminal, 65536)
        except OSError:  # How a terminal says that its last user has gone.
            os.close(terminal)
            return said.decode(errors="replace")
