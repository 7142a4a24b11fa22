"""What upload and download can be told of how to go about it: --dry-run, --quiet, --limit-rate."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from ferry_client.rate_limit import RateLimit
from ferry_client.shell.bars import Bars
from ferry_client.shell.transfers import Moved, jobs_within

from tests.client.conftest import Run, lines
from tests.client.fake import Fake, refuse


def methods(fake: Fake) -> set[str]:
    return {seen.method for seen in fake.seen}


def test_a_dry_run_sends_nothing(fake: Fake, command: Run, folder: Path) -> None:
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


def test_a_dry_run_finds_what_can_not_be_read(fake: Fake, command: Run, folder: Path) -> None:
    ran = command(fake.url, "upload", folder / "a.txt", folder / "none", folder, "--dry-run", "--json")

    assert (ran.returncode, fake.seen) == (1, [])
    assert [(line["outcome"], Path(str(line["path"])).name) for line in lines(ran)] == [
        ("failed", "none"), ("failed", "folder"), ("would upload", "a.txt")
    ]  # fmt: skip


def test_a_dry_run_fetches_nothing(fake: Fake, command: Run, tmp_path: Path) -> None:
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
    assert not any(seen.path.endswith("/content") for seen in fake.seen)
    assert {path.name for path in tmp_path.iterdir()} == {"a2", "a3"}


def test_a_dry_run_makes_no_folder(fake: Fake, command: Run, tmp_path: Path) -> None:
    assert command(fake.url, "download", fake.add(b"x"), "--to", f"{tmp_path}/new/", "-n").returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_quiet_says_nothing_of_what_goes_well(fake: Fake, command: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "link").symlink_to(folder)
    fake.instead = [refuse(503, "storage-unavailable", Retry_After="0")]
    said = [
        command(fake.url, "upload", "-r", folder, "--quiet"),
        command(fake.url, "download", *fake.files, "--to", tmp_path / "back", "-q"),
        command(fake.url, "rm", *fake.files, "-q"),
    ]

    assert [(ran.returncode, ran.stdout, ran.stderr) for ran in said] == [(0, "", "")] * 3
    assert fake.files == {}


def test_quiet_says_what_fails(fake: Fake, command: Run, folder: Path) -> None:
    ran = command(fake.url, "upload", folder / "a.txt", folder / "none", "--quiet")

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"ferry: {folder / 'none'}: No such file or directory\n"


def test_quiet_leaves_a_script_its_lines(fake: Fake, command: Run, folder: Path) -> None:
    ran = command(fake.url, "upload", folder / "a.txt", "--quiet", "--json")

    assert ([line["outcome"] for line in lines(ran)], ran.stderr) == (["sent"], "")


def test_the_rate_is_that_of_all_files_together(
    fake: Fake, command: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    took: list[tuple[int, float, int]] = []
    monkeypatch.setattr(RateLimit, "take", lambda limit, size: took.append((id(limit), limit._rate, size)))

    assert command(fake.url, "upload", "-r", folder, "--limit-rate", "500k").returncode == 0
    assert len({which for which, _, _ in took}) == 1
    assert ({rate for _, rate, _ in took}, sum(size for _, _, size in took)) == ({512_000}, 10)


@pytest.mark.parametrize(
    ("jobs", "rate", "at_once"), [(8, None, 8), (8, 10e6, 8), (8, 100_000, 3), (8, 10_000, 1), (2, 10e6, 2)]
)
def test_a_slow_rate_is_that_of_few_files(jobs: int, rate: float | None, at_once: int) -> None:
    assert jobs_within(jobs, rate) == at_once


def test_only_bytes_that_move_now_are_counted() -> None:
    told: list[int] = []
    moved = Moved(lambda done, _: told.append(done))
    for done in (4, 6, 10, 0, 3):
        moved(done, 10)

    assert (moved.bytes, told) == (9, [4, 6, 10, 0, 3])


def test_the_bar_counts_files_and_the_bytes_that_were_there_without_their_speed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = SimpleNamespace(seconds=0.0)
    bars = Bars(2000, 2, own_from=1)
    monkeypatch.setattr(bars._rich, "get_time", lambda: now.seconds)
    first, second = bars.of("a", 1000), bars.of("b", 1000)
    for seconds, progress, done in ((0, first, 900), (1, second, 0), (2, second, 10), (3, second, 20), (4, first, 910)):
        now.seconds = seconds
        progress(done, 1000)
    bars.ended()

    together, own, _ = bars._rich.tasks
    assert (together.completed, own.completed, together.description) == (930, 910, "1 of 2 files")
    assert together.speed is not None
    assert together.speed <= 20
