"""Log lines: their fields, one line per record."""

from __future__ import annotations

import json
import logging
import os
from contextvars import copy_context
from functools import partial

import pytest
from flask import Flask

import file
import logs
import tasks
from background import BackgroundPool
from tests.log_records import SECRET, failed, record


def test_a_line_of_json_has_its_fields() -> None:
    with logs.bound(file_id="other"):
        line = json.loads(logs.JsonFormatter().format(record("accepted, %d bytes", 7, **logs.for_file("01a1"))))

    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info", "logger": "ferry.file", "message": "accepted, 7 bytes", "file_id": "01a1", "pid": os.getpid(),
    }  # fmt: skip


def test_a_line_about_a_request_has_its_parts() -> None:
    atoms = {"h": "192.0.2.7", "m": "GET", "U": '/caf\xc3\xa9/\\"\n', "s": "404", "B": 211, "M": 3}
    access = record("%(m)s %(U)s", atoms | {"{x-request-id}o": "abc", "q": SECRET}, name="gunicorn.access")

    line = json.loads(logs.JsonFormatter().format(access))

    assert {name: line[name] for name in ("request_id", "method", "path", "status", "bytes", "milliseconds")} == {
        "request_id": "abc", "method": "GET", "path": '/café/"\n', "status": 404, "bytes": 211, "milliseconds": 3,
    }  # fmt: skip
    assert line["address"] == "192.0.2.7"
    assert {"owner", "key"} & set(line) == set()
    assert SECRET not in str(line)


def test_a_line_about_a_request_outside_of_the_app_has_its_request_id() -> None:
    assert logs.record_fields(record("refused", **logs.for_request("abc")))["request_id"] == "abc"


def test_a_line_of_text_names_the_principal() -> None:
    def line() -> str:
        logs.bind(request_id="abc", owner="alice", key="0123456789ab")
        return logs.TextFormatter().format(record("accepted"))

    assert copy_context().run(line).endswith(" info ferry.file [abc alice/0123456789ab]: accepted")


def test_lines_of_a_thread_have_its_file_id() -> None:
    with logs.bound(file_id="01a1"):
        assert logs.record_fields(record("slow"))["file_id"] == "01a1"

    assert "file_id" not in logs.record_fields(record("slow"))


def test_a_task_and_a_thread_log_the_file_that_they_work_on(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def work(id: str, *_: object) -> None:
        seen.append((id, logs.record_fields(record("a line of the storage, say"))["file_id"]))

    monkeypatch.setattr(file, "upload_file_from_stream", work)
    tasks.upload.apply(("01a1", ""))
    pool = BackgroundPool(app, "test", 1)
    pool.submit("01a2", partial(work, "01a2"), file_id="01a2")
    pool.drain(cancel_pending=False)

    assert seen == [("01a1", "01a1"), ("01a2", "01a2")]


def test_an_exception_is_one_field() -> None:
    line = json.loads(logs.JsonFormatter().format(failed(ValueError("no\nforged line"))))

    assert line["message"] == "failed"
    assert line["exception"].endswith("ValueError: no\nforged line")


@pytest.mark.parametrize("style", [logs.JsonFormatter, logs.TextFormatter])
@pytest.mark.parametrize("sign", ["\n", "\r", "\x00", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e"])
def test_control_characters_are_escaped(style: type[logging.Formatter], sign: str) -> None:
    line = style().format(record("before%safter", sign))

    assert sign not in line
    assert "before" in line
    assert "after" in line


def test_an_exception_cannot_forge_a_line_of_text() -> None:
    lines = logs.TextFormatter().format(failed(ValueError("no\n2026-11-20T10:00:00.000Z info forged"))).splitlines()

    assert [line for line in lines[1:] if not line.startswith("  ")] == []


@pytest.mark.parametrize("path", ["/" + "a" * 4000, "/" + "\x01" * 1330, "/é\U0001f600" * 900])
def test_a_long_path_is_cut(path: str) -> None:
    atoms = {"h": "192.0.2.7", "m": "GET", "U": path, "s": "404", "B": 211, "M": 3}
    access = record('%(h)s "%(m)s %(U)s" %(s)s', atoms, name="gunicorn.access")
    line = logs.JsonFormatter().format(access)

    assert len(line) < 2 * 1024 + 400
    assert json.loads(line)["path"].startswith("/")
    assert json.loads(line)["path"].endswith("…")
    assert json.loads(line)["message"].endswith('…" 404')


@pytest.mark.parametrize("path", ["", "/", "/files/" + "a" * 1000])
def test_a_path_of_usual_length_is_not_cut(path: str) -> None:
    assert logs.truncate(path) == path
