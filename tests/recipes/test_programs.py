"""The recipes of docs/clients.md work as printed, and so do requests that programs send without more settings."""

from __future__ import annotations

import gzip
import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from tests.harness.raw_client import RawClient, chunked
from tests.recipes.book import Recipe, environment, programs_half, recipes, run
from tests.recipes.conftest import Ferry
from tests.recipes.expected import ARCHIVE, BY_TITLE, EXIT_CODES, PHOTO, Expected
from tests.recipes.front import Front
from tests.recipes.rows import BODY, CALLS, HEADS, LINES, REFUSED

PROGRAMS = ["curl", "wget", "HTTPie", "requests", "httpx", "aiohttp", "Node", "axios", "Go"]
MARKS = {"axios": pytest.mark.browser, "Go": pytest.mark.foreign}
ALL = [pytest.param(recipe, id=str(recipe), marks=MARKS.get(recipe.program, ())) for recipe in recipes()]


def test_every_block_of_the_page_is_a_recipe_with_an_outcome() -> None:
    found = recipes()

    assert programs_half().count("```") == 2 * len(found)
    assert [str(recipe) for recipe in found if recipe.title not in BY_TITLE] == []
    assert len({str(recipe) for recipe in found}) == len(found)
    assert {recipe.title for recipe in found} == set(BY_TITLE)


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_has_recipes_to_send_to_wait_and_to_read_an_error(program: str) -> None:
    titles = [recipe.title for recipe in recipes() if recipe.program == program]

    assert any(title.startswith("Raw") for title in titles)
    assert any("stored" in title for title in titles)
    assert any("key" in title for title in titles)
    assert "Errors" in titles


@pytest.mark.parametrize("recipe", ALL)
def test_a_recipe_works_as_printed(recipe: Recipe, ferry: Ferry, tmp_path: Path) -> None:
    """It stores, saves and prints the expected files and text. A recipe with retries gets 503 first."""
    expected = BY_TITLE[recipe.title]
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, body in expected.there.items():
        (folder / name).write_bytes(body)
    known = ferry.listed(with_key="key" in recipe.title)

    with Front(ferry.ports.web) as front:
        url = front.url if "retries" in recipe.title else ferry.url
        ran = run(recipe, folder, url, {"ID": ferry.photo, "FERRY_KEY": ferry.key})

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [text for text in expected.says if text not in ran.stdout] == []
    assert recipe.title != "Errors" or EXIT_CODES.get(recipe.program, "") in ran.stdout
    _check_stored(recipe, ferry, expected, known)
    assert {name: (folder / name).read_bytes() for name in expected.saved} == expected.saved
    if "retries" in recipe.title:
        assert len(front.bodies) == 2
        assert front.bodies[0] == front.bodies[1]
        assert front.keys[0] == front.keys[1] is not None


def _check_stored(recipe: Recipe, ferry: Ferry, expected: Expected, known: dict[str, object]) -> None:
    with_key = "key" in recipe.title
    new = {id: file for id, file in ferry.listed(with_key=with_key).items() if id not in known}
    assert {file["status"] for file in new.values()} <= {"COMPLETE"}
    stored = {file["name"]: ferry.content(id, with_key=with_key) for id, file in new.items()}
    assert sorted(stored) == sorted(expected.stored)
    assert len(new) == len(stored)
    for name, body in expected.stored.items():
        if body == ARCHIVE:
            assert PHOTO in gzip.decompress(stored[name])
        else:
            assert stored[name] == body


def _check_notes(ferry: Ferry, file: dict[str, Any]) -> None:
    """The upload's file is stored, under its name, with all its bytes."""
    ended = ferry.ended(file["id"])
    assert (ended["status"], ended["name"], ended["size"]) == ("COMPLETE", "notes.txt", len(BODY))
    assert ferry.content(file["id"]) == BODY


def _shell(line: str, ferry: Ferry, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    for name, body in {"notes.txt": BODY, "one.csv": b"a\n", "two.csv": b"b\n"}.items():
        (tmp_path / name).write_bytes(body)
    return subprocess.run(
        ["sh", "-c", line.replace("{url}", ferry.url)], cwd=tmp_path, env=environment(tmp_path, {}),
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip


def test_the_time_outs_on_the_page_are_those_of_the_libraries() -> None:
    assert httpx.Client().timeout == httpx.Timeout(5)
    assert aiohttp.ClientTimeout(total=5 * 60).total == aiohttp.client.DEFAULT_TIMEOUT.total
    assert "| httpx | after 5 seconds " in programs_half()
    assert "| aiohttp | after 5 minutes" in programs_half()


def test_curl_encodes_the_name_that_it_adds(ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / "a?b #100%.txt").write_bytes(BODY)

    ran = _shell("curl -T 'a?b #100%.txt' {url}/normal_upload/", ferry, tmp_path)

    assert json.loads(ran.stdout)["name"] == "a?b #100%.txt"


@pytest.mark.parametrize("mode", ["normal", "async"])
@pytest.mark.parametrize("program", HEADS)
def test_a_body_of_any_declared_type_is_a_file(program: str, mode: str, ferry: Ferry) -> None:
    first, *headers = HEADS[program]
    is_chunked = "Transfer-Encoding: chunked" in headers
    length = [] if is_chunked else [f"Content-Length: {len(BODY)}"]
    head = [f"{first.format(mode=mode)} HTTP/1.1", "Host: localhost", *headers, *length, "", ""]

    with RawClient(ferry.ports.web) as wire:
        wire.send("\r\n".join(head).encode() + (chunked(BODY) if is_chunked else BODY))
        reply = wire.reply()

    assert reply.status == {"normal": 201, "async": 202}[mode], reply.body
    _check_notes(ferry, reply.json)


@pytest.mark.parametrize("call", CALLS)
def test_a_call_without_a_type_uploads_a_file(call: str, ferry: Ferry) -> None:
    answer = CALLS[call](f"{ferry.url}/normal_upload")

    assert answer.status_code == 201, answer.text
    _check_notes(ferry, answer.json())


@pytest.mark.parametrize("program", LINES)
def test_a_shell_command_uploads_a_file(program: str, ferry: Ferry, tmp_path: Path) -> None:
    ran = _shell(LINES[program], ferry, tmp_path)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    _check_notes(ferry, json.loads(ran.stdout))


def test_a_form_field_before_the_file_sets_its_expiry(ferry: Ferry, tmp_path: Path) -> None:
    file = json.loads(_shell(LINES["curl -F with fields before the file"], ferry, tmp_path).stdout)

    created, expires = (datetime.fromisoformat(file[name]) for name in ("created_at", "expires_at"))
    assert 3599 <= (expires - created).total_seconds() <= 3601


@pytest.mark.parametrize("program", REFUSED)
def test_an_invalid_request_is_a_problem_and_leaves_no_file(program: str, ferry: Ferry, tmp_path: Path) -> None:
    line, status = REFUSED[program]
    before = ferry.listed()

    problem = json.loads(_shell(line, ferry, tmp_path).stdout)

    assert (problem["status"], problem["type"].startswith("/problems/")) == (status, True)
    assert ferry.listed() == before
