"""--dry-run, --quiet and --limit-rate of uploads and downloads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from ferry_client.cli.progress import ProgressBars
from ferry_client.cli.transfers import ByteCounter, limit_jobs
from ferry_client.rate_limit import RateLimit

from tests.client.conftest import Run, json_lines
from tests.client.fake_server import FakeServer, respond_problem


def methods(fake: FakeServer) -> set[str]:
    return {request.method for request in fake.requests}


def test_upload_dry_run_sends_nothing(fake: FakeServer, command: Run, folder: Path) -> None:
    fake.add(b"a", "a.txt")

    ran = command(fake.url, "upload", "-r", folder, "-", "--dry-run", "--jobs", 1)

    assert (ran.returncode, methods(fake)) == (0, {"GET"})
    assert ran.stdout.splitlines() == [
        "skipped  id-0  1 B  folder/a.txt",
        "would upload  4 B  folder/b.txt",
        "would upload  4 B  folder/deep/b.txt",
        "would upload  1 B  folder/deep/er/c.csv",
        "would upload  ?  stdin",
    ]
    assert ran.stderr == "4 to upload, 1 skipped, 0 failed; 9 B; dry run: nothing was done\n"


def test_upload_dry_run_reports_unreadable_files(fake: FakeServer, command: Run, folder: Path) -> None:
    ran = command(fake.url, "upload", folder / "a.txt", folder / "none", folder, "--dry-run", "--json")

    assert (ran.returncode, fake.requests) == (1, [])
    assert [(line["outcome"], Path(str(line["path"])).name) for line in json_lines(ran)] == [
        ("failed", "none"), ("failed", "folder"), ("would upload", "a.txt")
    ]  # fmt: skip


def test_download_dry_run_fetches_nothing(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    for name in ("a1", "a1", "a2", "a3"):
        fake.add(b"xx", name)
    (tmp_path / "a2").write_text("xx")
    (tmp_path / "a3").write_text("another")

    ran = command(fake.url, "download", "--prefix", "a", "--to", tmp_path, "--dry-run", "--jobs", 1)

    assert ran.returncode == 1
    assert ran.stdout.splitlines() == [
        f"skipped  id-2  2 B  {tmp_path}/a2",
        f"would download  id-1  2 B  {tmp_path}/a1",
        f"would download  id-0  2 B  {tmp_path}/a1 (2)",
    ]
    assert ran.stderr.splitlines() == [
        f"ferry: {tmp_path}/a3: is there already and differs: --force replaces it",
        "2 to download, 1 skipped, 1 failed; 4 B; dry run: nothing was done",
    ]
    assert not any(request.path.endswith("/content") for request in fake.requests)
    assert {path.name for path in tmp_path.iterdir()} == {"a2", "a3"}


def test_download_dry_run_creates_no_folder(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    assert command(fake.url, "download", fake.add(b"x"), "--to", f"{tmp_path}/new/", "-n").returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_quiet_prints_nothing_on_success(fake: FakeServer, command: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "link").symlink_to(folder)
    fake.overrides = [respond_problem(503, "storage-unavailable", Retry_After="0")]
    results = [
        command(fake.url, "upload", "-r", folder, "--quiet"),
        command(fake.url, "download", *fake.files, "--to", tmp_path / "back", "-q"),
        command(fake.url, "rm", *fake.files, "-q"),
    ]

    assert [(ran.returncode, ran.stdout, ran.stderr) for ran in results] == [(0, "", "")] * 3
    assert fake.files == {}


def test_quiet_prints_errors(fake: FakeServer, command: Run, folder: Path) -> None:
    ran = command(fake.url, "upload", folder / "a.txt", folder / "none", "--quiet")

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"ferry: {folder / 'none'}: No such file or directory\n"


def test_quiet_keeps_json_lines(fake: FakeServer, command: Run, folder: Path) -> None:
    ran = command(fake.url, "upload", folder / "a.txt", "--quiet", "--json")

    assert ([line["outcome"] for line in json_lines(ran)], ran.stderr) == (["sent"], "")


def test_limit_rate_covers_all_files_together(
    fake: FakeServer, command: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquired: list[tuple[int, float, int]] = []
    monkeypatch.setattr(RateLimit, "acquire", lambda limit, size: acquired.append((id(limit), limit._rate, size)))

    assert command(fake.url, "upload", "-r", folder, "--limit-rate", "500k").returncode == 0
    assert len({limit_id for limit_id, _, _ in acquired}) == 1
    assert ({rate for _, rate, _ in acquired}, sum(size for _, _, size in acquired)) == ({512_000}, 10)


@pytest.mark.parametrize(
    ("jobs", "rate", "expected"), [(8, None, 8), (8, 10e6, 8), (8, 100_000, 3), (8, 10_000, 1), (2, 10e6, 2)]
)
def test_a_low_rate_reduces_parallel_transfers(jobs: int, rate: float | None, expected: int) -> None:
    assert limit_jobs(jobs, rate) == expected


def test_byte_counter_excludes_earlier_bytes() -> None:
    reported: list[int] = []
    moved = ByteCounter(lambda done, _: reported.append(done))
    for done in (4, 6, 10, 0, 3):
        moved(done, 10)

    assert (moved.bytes, reported) == (9, [4, 6, 10, 0, 3])


def test_the_total_bar_excludes_earlier_bytes_from_its_speed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = SimpleNamespace(seconds=0.0)
    bars = ProgressBars(2000, 2, own_bar_from=1)
    monkeypatch.setattr(bars._rich, "get_time", lambda: now.seconds)
    first, second = bars.track("a", 1000), bars.track("b", 1000)
    for seconds, progress, done in ((0, first, 900), (1, second, 0), (2, second, 10), (3, second, 20), (4, first, 910)):
        now.seconds = seconds
        progress(done, 1000)
    bars.finish_file()

    together, own, _ = bars._rich.tasks
    assert (together.completed, own.completed, together.description) == (930, 910, "1 of 2 files")
    assert together.speed is not None
    assert together.speed <= 20
