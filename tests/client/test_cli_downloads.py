"""`ferry download`: by id, by prefix, by manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.client.conftest import Run, json_lines
from tests.client.fake_server import FakeServer


def test_a_folder_round_trips_through_a_manifest(fake: FakeServer, command: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "sent.jsonl").write_text(command(fake.url, "upload", "-r", folder, "--json").stdout)
    back = tmp_path / "back"

    ran = command(fake.url, "download", "--manifest", tmp_path / "sent.jsonl", "--to", back)

    assert (ran.returncode, ran.stderr.split(";")[0]) == (0, "4 fetched, 0 skipped, 0 failed")
    assert _tree(back / "folder") == _tree(folder)
    again = command(fake.url, "download", "--manifest", tmp_path / "sent.jsonl", "--to", back)
    assert again.stderr.startswith("0 fetched, 4 skipped")


@pytest.mark.parametrize("path", ["../out", "/out", "a/../../out"])
def test_a_manifest_path_outside_the_folder_is_rejected(
    fake: FakeServer, command: Run, tmp_path: Path, path: str
) -> None:
    line = {"outcome": "sent", "path": path, "file": {"id": fake.add(b"x")}}
    (tmp_path / "evil.jsonl").write_text(json.dumps(line))

    ran = command(fake.url, "download", "--manifest", tmp_path / "evil.jsonl", "--to", tmp_path / "in")

    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "leads out of the folder" in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["evil.jsonl"]


def test_download_prefix_writes_into_the_folder(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    for name, body in (("a1", b"1"), ("a1", b"2"), ("b", b"3")):
        fake.add(body, name)

    command(fake.url, "download", "--prefix", "a", "--to", tmp_path / "new")

    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == {"a1": b"2", "a1 (2)": b"1"}


def test_equal_long_names_are_numbered(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    name = f"{'ü' * 125}.jpg"
    fake.add(b"1", name)
    fake.add(b"2", name)

    assert command(fake.url, "download", "--prefix", "ü", "--to", tmp_path / "new").returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == {
        name: b"2",
        f"{'ü' * 123} (2).jpg": b"1",
    }


def test_a_name_ending_in_part_does_not_collide(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    ids = [fake.add(b"part", "qq.part"), fake.add(b"whole", "qq")]

    assert command(fake.url, "download", *ids, "--to", tmp_path, "--jobs", 1).returncode == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"qq.part": b"part", "qq": b"whole"}


def test_an_existing_file_is_replaced_only_with_force(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    id = fake.add(b"new", "a")
    (tmp_path / "a").write_text("old")

    ran = command(fake.url, "download", id, "--to", tmp_path)
    assert (ran.returncode, (tmp_path / "a").read_text()) == (1, "old")
    assert "--force" in ran.stderr
    assert command(fake.url, "download", id, "--to", tmp_path, "--force").returncode == 0
    assert (tmp_path / "a").read_text() == "new"


def test_a_single_file_is_saved_under_the_path_of_to(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    assert command(fake.url, "download", fake.add(b"x", "a"), "--to", tmp_path / "mine").returncode == 0
    assert (tmp_path / "mine").read_bytes() == b"x"


def test_an_unknown_id_fails_and_the_others_are_downloaded(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    ran = command(fake.url, "download", fake.add(b"x", "a"), "unknown", "--to", tmp_path, "--json")

    assert ran.returncode == 1
    assert [(line["outcome"], line["path"]) for line in json_lines(ran)] == [
        ("failed", "unknown"),
        ("fetched", str(tmp_path / "a")),
    ]


def _tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_missing_object_is_not_retried(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    """The other files of the prefix are downloaded."""
    missing, _ = fake.add(b"1", "a1"), fake.add(b"2", "a2")
    fake.contents.pop(missing)
    single = command(fake.url, "download", missing, "--to", tmp_path / "a1")
    many = command(fake.url, "download", "--prefix", "a", "--to", tmp_path / "new")

    assert (single.returncode, many.returncode) == (1, 1)
    assert single.stderr.count("(object-missing)") == many.stderr.count("(object-missing)") == 1
    assert "again in" not in single.stderr + many.stderr
    assert [request.path for request in fake.requests].count(f"/files/{missing}/content") == 2
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a2"]
    assert not (tmp_path / "a1").exists()


@pytest.mark.parametrize("to", ["new/", "new/deep/", "existing", "existing/"])
def test_to_with_a_trailing_slash_is_a_folder(fake: FakeServer, command: Run, tmp_path: Path, to: str) -> None:
    (tmp_path / "existing").mkdir()

    assert command(fake.url, "download", fake.add(b"x", "a"), "--to", f"{tmp_path}/{to}").returncode == 0
    assert (tmp_path / to / "a").read_bytes() == b"x"


def test_to_with_a_slash_after_a_file_fails(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("existing")

    ran = command(fake.url, "download", fake.add(b"x", "a"), "--to", f"{tmp_path}/file/")

    assert (ran.returncode, (tmp_path / "file").read_text()) == (1, "existing")


def test_names_that_differ_only_in_case_are_numbered(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    fake.add(b"1", "A.txt")
    fake.add(b"2", "a.TXT")

    assert command(fake.url, "download", *fake.files, "--to", tmp_path).returncode == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"A.txt": b"1", "a (2).TXT": b"2"}


def test_download_prefix_without_a_match_fails(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    ran = command(fake.url, "download", "--prefix", "none", "--to", tmp_path / "new", "--json")

    assert ran.returncode == 1
    assert ran.stderr.startswith("ferry: none: No file matches")
    assert json_lines(ran)[0]["problem"]["slug"] == "no-match"  # type: ignore[index]
    assert not (tmp_path / "new").exists()


def test_resumed_bytes_are_not_counted_in_the_summary(fake: FakeServer, command: Run, tmp_path: Path) -> None:
    id = fake.add(b"x" * 5_000_000, "a")
    (tmp_path / f".{id}.ferry-part").write_bytes(b"x" * 4_000_000)

    assert command(fake.url, "download", id, "--to", tmp_path).stderr.startswith(
        "1 fetched, 0 skipped, 0 failed; 1.0 MB in "
    )


@pytest.mark.parametrize("path", ["", ".", "a\0b"])
def test_an_unusable_manifest_path_raises_no_traceback(
    fake: FakeServer, command: Run, tmp_path: Path, path: str
) -> None:
    (tmp_path / "m.jsonl").write_text(json.dumps({"outcome": "sent", "path": path, "file": {"id": fake.add(b"x")}}))

    assert command(fake.url, "download", "--manifest", tmp_path / "m.jsonl", "--to", tmp_path).returncode in (0, 1)
    assert {path.name for path in tmp_path.iterdir()} <= {"m.jsonl", "a_b"}
