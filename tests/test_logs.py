"""Lines of the log: fields for machines, one line a record, and nothing in them that a log must not hold."""

from __future__ import annotations

import base64
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from flask import Flask

import config
import file
import logs
import tasks
from app import create_app
from auth import api_keys
from background import BackgroundPool
from dev import parts
from dev.process import free_port
from lifecycle import transitions
from models import File, db
from tests.fakes import FORM, form, part, services_of

SECRET = "hunter2hunter2"
TOKEN = f"ferry_0123456789ab_{'aB3-_xY9zQ' * 4}end"
WITH_A_TOKEN = (
    f"GET /files/{TOKEN} HTTP/1.1",
    f"DELETE /{TOKEN} HTTP/1.1",
    f"GET /files/{TOKEN.replace('_', '%5F')}/content HTTP/1.1",
    f"GET /files/{TOKEN.replace('_', '%255F')} HTTP/1.1",
    f"GET /{TOKEN.replace('e', '%65')} HTTP/1.1",
    f"{TOKEN.upper()} / HTTP/1.1",
    f"GET http://me:{TOKEN}@localhost/files HTTP/1.1",
    f"GET /files?{TOKEN} HTTP/1.1",
    f"GET /files HTTP/1.1\r\nX-Request-ID: {TOKEN}",
    f"GET /files HTTP/1.1\r\nX-Request-ID: x{TOKEN[:40]}",
    f"GET /files HTTP/1.1\r\nUser-Agent: {TOKEN}\r\nReferer: http://localhost/{TOKEN}",
    f"GET /files HTTP/1.1\r\n{TOKEN}: x",
    f"GET /files HTTP/1.1\r\nAuthorization: {TOKEN}",
    f"GET /files HTTP/1.1\r\nAuthorization: Token {TOKEN}",
    f"GET /files/last HTTP/1.1\r\nCookie: {TOKEN}",
)


def record(message: str, *args: Any, name: str = "ferry.file", **extra: Any) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(name, logging.INFO, __file__, 1, message, args, None, extra=extra)


def failed(error: Exception) -> logging.LogRecord:
    try:
        raise error
    except Exception:
        return logging.getLogger().makeRecord("x", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())


def test_a_line_of_json_has_its_fields() -> None:
    with logs.file_context("other"):
        said = json.loads(logs.JsonFormatter().format(record("accepted, %d bytes", 7, **logs.for_file("01a1"))))

    assert said.pop("time").endswith("Z")
    assert said == {
        "level": "info", "logger": "ferry.file", "message": "accepted, 7 bytes", "file_id": "01a1", "pid": os.getpid(),
    }  # fmt: skip


def test_a_line_about_a_request_outside_of_the_app_has_its_id() -> None:
    assert logs.record_fields(record("refused", **logs.for_request("abc")))["request_id"] == "abc"


def test_a_line_of_text_names_the_principal() -> None:
    def said() -> str:
        logs.request_id.set("abc")
        logs.principal.set({"owner": "alice", "key": "0123456789ab"})
        return logs.TextFormatter().format(record("accepted"))

    assert copy_context().run(said).endswith(" info ferry.file [abc alice/0123456789ab]: accepted")


def test_lines_of_a_thread_have_its_file_id() -> None:
    with logs.file_context("01a1"):
        assert logs.record_fields(record("slow"))["file_id"] == "01a1"

    assert "file_id" not in logs.record_fields(record("slow"))


def test_an_exception_is_one_field() -> None:
    said = json.loads(logs.JsonFormatter().format(failed(ValueError("no\nforged line"))))

    assert said["message"] == "failed"
    assert said["exception"].endswith("ValueError: no\nforged line")


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"GET /files?token={SECRET} HTTP/1.1", "GET /files?… HTTP/1.1"),
        (f"GET /?{SECRET}", "GET /?…"),
        (f"redis://:{SECRET}@redis:6379/0 is away", "redis://…@redis:6379/0 is away"),
        (f"'Authorization: Token {SECRET}'", "'Authorization: …"),
        (f"sent Bearer {SECRET}.x", "sent Bearer …"),
        ("Is it there? It is.", "Is it there? It is."),
    ],
)
def test_secrets_are_redacted_in_every_message(text: str, shown: str) -> None:
    assert logs.record_fields(record("%s", text))["message"] == shown
    assert SECRET not in logs.record_fields(failed(ValueError(text)))["exception"]


@pytest.mark.parametrize("style", [logs.JsonFormatter, logs.TextFormatter])
def test_a_token_is_redacted_in_every_field(style: type[logging.Formatter]) -> None:
    """Of an access line in the operator's own format too, and of a task's id, which stands in Redis."""
    atoms = {"h": TOKEN, "m": TOKEN, "U": f"/{TOKEN}", "s": "404", "B": 0, "M": 3, "{x-request-id}o": TOKEN}
    lines = [
        record("%(h)s %(m)s %(U)s %(a)s", atoms | {"a": TOKEN}, name="gunicorn.access"),
        record("%s and %r", TOKEN, TOKEN, **logs.for_file(TOKEN), **logs.for_request(TOKEN)),
        failed(ValueError(TOKEN)),
    ]
    with logs.file_context(TOKEN):
        said = "\n".join(style().format(line) for line in lines)

    assert TOKEN[19:] not in said
    assert "ferry_0123456789ab_" in said


def test_a_line_about_a_request_has_its_parts() -> None:
    atoms = {"h": "192.0.2.7", "m": "GET", "U": '/caf\xc3\xa9/\\"\n', "s": "404", "B": 211, "M": 3}
    line = record("%(m)s %(U)s", atoms | {"{x-request-id}o": "abc", "q": SECRET}, name="gunicorn.access")

    said = json.loads(logs.JsonFormatter().format(line))

    assert {name: said[name] for name in ("request_id", "method", "path", "status", "bytes", "milliseconds")} == {
        "request_id": "abc", "method": "GET", "path": '/café/"\n', "status": 404, "bytes": 211, "milliseconds": 3,
    }  # fmt: skip
    assert said["address"] == "192.0.2.7"
    assert {"owner", "key"} & set(said) == set()
    assert SECRET not in str(said)


def test_a_task_and_a_thread_log_the_file_that_they_work_on(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def work(id: str, *_: object) -> None:
        seen.append((id, logs.record_fields(record("a line of the storage, say"))["file_id"]))

    monkeypatch.setattr(file, "upload_file_from_stream", work)
    tasks.upload.apply(("01a1", ""))
    pool = BackgroundPool(app, "test", 1)
    pool.submit(work, "01a2")
    pool.drain(cancel_pending=False)

    assert seen == [("01a1", "01a1"), ("01a2", "01a2")]


class Running:
    """A web service or a worker as a process of its own, and what it has logged."""

    def __init__(self, start: Callable[..., Any], env: dict[str, str], folder: Path) -> None:
        self.log, self.port = folder / "process.log", free_port()
        self.process = start({"FLASK_APP": "app", **env, "PORT": str(self.port), "SWEEP_INTERVAL": "3600"}, self.log)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def until(self, found: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first line that is `found`."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for line in self.lines():
                if found(line):
                    return line
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())


@pytest.fixture
def web(settings: dict[str, str], tmp_path: Path) -> Iterator[Running]:
    running = Running(parts.web, settings | {"WEB_WORKERS": "1"}, tmp_path)
    try:
        running.process.wait_for(running.port)
        yield running
    finally:
        running.process.stop()


@pytest.fixture
def worker(settings: dict[str, str], tmp_path: Path) -> Iterator[Running]:
    """One that has no tasks yet."""
    redis.Redis.from_url(settings["CELERY_BROKER_URL"]).flushdb()
    running = Running(parts.worker, settings, tmp_path)
    try:
        yield running
    finally:
        running.process.stop()
        redis.Redis.from_url(settings["CELERY_BROKER_URL"]).flushdb()


def test_the_lines_of_an_upload_are_found_by_request_and_by_file(web: Running) -> None:
    url, headers = f"http://127.0.0.1:{web.port}", {"Content-Type": FORM, "X-Request-ID": "mine.1"}
    answer = requests.post(f"{url}/async_upload", data=form(part("file", b"x", "a")), headers=headers, timeout=10)
    id = answer.json()["id"]

    accepted = web.until(lambda line: line["message"].startswith("upload.accepted"))
    complete = web.until(lambda line: line["message"].startswith("attempt.complete"))
    access = web.until(lambda line: line["logger"] == "gunicorn.access")

    assert answer.headers["X-Request-ID"] == "mine.1"
    assert (accepted["request_id"], accepted["file_id"]) == ("mine.1", id)
    assert ("request_id" in complete, complete["file_id"]) == (False, id)
    assert {name: access[name] for name in ("request_id", "method", "path", "status", "bytes", "address")} == {
        "request_id": "mine.1", "method": "POST", "path": "/async_upload", "status": 202, "bytes": len(answer.content),
        "address": "127.0.0.1",
    }  # fmt: skip


def test_the_lines_of_a_request_name_its_key(web: Running, app: Flask) -> None:
    """Those of its refusal too; nobody who has no key is named, and nothing of it goes out."""
    token = api_keys.create("alice", ["upload"], None)
    url, who = f"http://127.0.0.1:{web.port}", {"owner": "alice", "key": token.split("_")[1]}
    headers = {"Content-Type": FORM, "Authorization": f"Bearer {token}"}
    sent = requests.post(f"{url}/normal_upload", data=form(part("file", b"x", "a")), headers=headers, timeout=10)
    refused = requests.get(f"{url}/files", headers=headers, timeout=10)
    stranger = requests.get(f"{url}/files", headers={"Authorization": f"Bearer {token[:-3]}AAA"}, timeout=10)

    lines = [web.until(lambda line: line["message"].startswith("attempt.complete"))]
    lines += [web.until(lambda line, status=status: line.get("status") == status) for status in (201, 403)]
    named = [{name: line[name] for name in ("owner", "key") if name in line} for line in lines]
    assert named == [who] * 3
    assert {"owner", "key"} & set(web.until(lambda line: line.get("status") == 401)) == set()
    assert token.split("_", 2)[2] not in web.log.read_text()
    for answer in (sent, refused, stranger):
        assert "alice" not in str(answer.headers)


def test_the_web_service_logs_nothing_but_json_and_no_secret(web: Running) -> None:
    for head in (
        f"GET /files?cursor={SECRET} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {SECRET}",
        f"GET /files?cursor={SECRET} x HTTP/1.1",
        f"GET /files?cursor={SECRET} HTTP/1.1\r\nAuthorization: Bearer {SECRET}\x01",
        f"GET /files?cursor={SECRET} HTTP/1.1\r\nAuthorization : Bearer {SECRET}",
        f"GET /a%0d%0ab%1b?{SECRET} HTTP/1.1\r\nHost: localhost",
        *(f"{line}\r\nHost: localhost" for line in WITH_A_TOKEN),
    ):
        with socket.create_connection(("127.0.0.1", web.port), 10) as client:
            client.sendall(head.encode() + b"\r\nConnection: close\r\n\r\n")
            client.makefile("rb").read()
    line = web.until(lambda line: line.get("status") == 404)
    web.until(lambda line: line.get("path") == "/files/last")

    assert line["path"] == "/a\r\nb\x1b"
    assert sum("Invalid" in line["message"] for line in web.lines()) == 4
    assert len(web.lines()) == len(web.log.read_text().splitlines())
    assert SECRET not in web.log.read_text()
    assert TOKEN[-12:].lower() not in web.log.read_text().lower()
    assert web.log.read_text().count(f"ferry_{TOKEN[6:18]}_…".encode("unicode_escape").decode()) >= 8


def test_no_byte_of_a_file_is_in_the_log_of_a_worker_or_in_the_head_of_a_message(
    settings: dict[str, str], worker: Running
) -> None:
    """A task that is queued, taken, repeated because its file is held, failing, unknown, unreadable."""
    app, body = create_app(settings), os.urandom(9000)
    text = base64.b64encode(body).decode()
    queue = redis.Redis.from_url(settings["CELERY_BROKER_URL"])
    worker.until(lambda line: line["message"].endswith("ready."))
    with app.app_context():
        row = file.new_file("a.bin", "application/octet-stream", "celery")
        file.receive(row, iter([body]))
        assert transitions.claim(row, 6)
        tasks.send_inline(row.id)
        worker.until(lambda line: "retry: Retry in" in line["message"])
        taken = queue.hvals(config.current().redis.key("unacked"))
        again = json.loads(taken[-1])[0] if taken else None
        done = worker.until(lambda line: line["message"].startswith("attempt.complete"))

        celery = services_of(app).celery
        celery.send_task("ferry.upload", (row.id, text, "one too many"), argsrepr="(...)")
        celery.send_task("ferry.unheard_of", (row.id, text), argsrepr="(...)")
        with db.engine.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {File.__tablename__} RENAME TO gone")
        tasks.upload.apply_async((row.id, text), argsrepr=tasks._args_repr(row.id))
        raised = worker.until(lambda line: "raised unexpected: OperationalError" in line["message"])
        db.engine.dispose()
    dropped = [line for line in worker.lines() if line["message"].startswith("queue.message_malformed")]

    assert len(dropped) == 2
    assert done["file_id"] == row.id
    assert again is None or text[:20] not in json.dumps(again["headers"])
    assert "no such table" in raised["exception"]
    for start in range(0, 120, 4):
        assert text[start : start + 16] not in worker.log.read_text()
    assert row.id not in raised["exception"]


def test_the_head_of_a_queued_task_holds_no_bytes(app: Flask) -> None:
    """Nobody takes it: there is no worker."""
    celery = services_of(app).celery
    celery.conf.task_always_eager = False
    options = config.current().redis
    queue = redis.Redis.from_url(options.url)
    row = file.new_file("a.bin", "application/octet-stream", "celery")
    file.receive(row, iter([b"%" * 9000]))
    try:
        tasks.send_inline(row.id)
        [message] = [json.loads(each) for each in queue.lrange(options.key(options.queue), 0, -1)]
    finally:
        queue.flushdb()

    assert message["headers"]["argsrepr"] == f"({row.id!r}, ...)"
    assert "JSUl" not in json.dumps({**message, "body": ""})
    assert "JSUl" in message["body"]


@pytest.mark.parametrize("path", ["/" + "a" * 4000, "/" + "\x01" * 1330, "/é\U0001f600" * 900])
def test_a_long_path_is_cut(path: str) -> None:
    atoms = {"h": "192.0.2.7", "m": "GET", "U": path, "s": "404", "B": 211, "M": 3}
    line = record('%(h)s "%(m)s %(U)s" %(s)s', atoms, name="gunicorn.access")
    said = logs.JsonFormatter().format(line)

    assert len(said) < 2 * 1024 + 400
    assert json.loads(said)["path"].startswith("/")
    assert json.loads(said)["path"].endswith("…")
    assert json.loads(said)["message"].endswith('…" 404')


@pytest.mark.parametrize("path", ["", "/", "/files/" + "a" * 1000])
def test_a_path_of_usual_length_is_not_cut(path: str) -> None:
    assert logs.truncate(path) == path
