"""The log of a running web service and of a running worker."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from flask import Flask

import config
import tasks
from app import create_app
from auth import api_keys
from dev import parts
from dev.polling import eventually
from dev.process import free_port
from models import FILES, db
from tests.fakes import FORM, form, part, services_of
from tests.harness.factories import claimed_file
from tests.harness.raw_client import RawClient
from tests.log_records import SECRET, TOKEN

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


class Running:
    """A web service or a worker in its own process, and its log."""

    def __init__(self, start: Callable[..., Any], env: dict[str, str], folder: Path) -> None:
        self.log, self.port = folder / "process.log", free_port()
        self.process = start({"FLASK_APP": "app", **env, "PORT": str(self.port), "SWEEP_INTERVAL": "3600"}, self.log)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def until(self, found: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first line for which `found` is true. Waits for it."""
        line = eventually(lambda: next(filter(found, self.lines()), None), seconds=20)
        assert line, self.log.read_text()
        return line


@pytest.fixture
def web(settings: dict[str, str], tmp_path: Path) -> Iterator[Running]:
    """A web service of one process."""
    running = Running(parts.web, settings | {"WEB_WORKERS": "1"}, tmp_path)
    with running.process:
        running.process.wait_for(running.port)
        yield running


@pytest.fixture
def worker(settings: dict[str, str], tmp_path: Path) -> Iterator[Running]:
    """A worker whose queue is empty."""
    redis.Redis.from_url(settings["CELERY_BROKER_URL"]).flushdb()
    running = Running(parts.worker, settings, tmp_path)
    with running.process:
        yield running
    redis.Redis.from_url(settings["CELERY_BROKER_URL"]).flushdb()


def test_the_lines_of_an_upload_have_its_request_id_and_its_file_id(web: Running) -> None:
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
    """Also if it is refused. A wrong token has no name, and no response header names the owner."""
    token = api_keys.create("alice", ["upload"], None)
    url, key = f"http://127.0.0.1:{web.port}", {"owner": "alice", "key": token.split("_")[1]}
    headers = {"Content-Type": FORM, "Authorization": f"Bearer {token}"}
    sent = requests.post(f"{url}/normal_upload", data=form(part("file", b"x", "a")), headers=headers, timeout=10)
    refused = requests.get(f"{url}/files", headers=headers, timeout=10)
    unknown = requests.get(f"{url}/files", headers={"Authorization": f"Bearer {token[:-3]}AAA"}, timeout=10)

    lines = [web.until(lambda line: line["message"].startswith("attempt.complete"))]
    lines += [web.until(lambda line, status=status: line.get("status") == status) for status in (201, 403)]
    named = [{name: line[name] for name in ("owner", "key") if name in line} for line in lines]
    assert named == [key] * 3
    assert {"owner", "key"} & set(web.until(lambda line: line.get("status") == 401)) == set()
    assert token.split("_", 2)[2] not in web.log.read_text()
    for answer in (sent, refused, unknown):
        assert "alice" not in str(answer.headers)


def test_the_web_service_logs_only_json_and_no_secret(web: Running) -> None:
    for head in (
        f"GET /files?cursor={SECRET} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {SECRET}",
        f"GET /files?cursor={SECRET} x HTTP/1.1",
        f"GET /files?cursor={SECRET} HTTP/1.1\r\nAuthorization: Bearer {SECRET}\x01",
        f"GET /files?cursor={SECRET} HTTP/1.1\r\nAuthorization : Bearer {SECRET}",
        f"GET /a%0d%0ab%1b?{SECRET} HTTP/1.1\r\nHost: localhost",
        *(f"{line}\r\nHost: localhost" for line in WITH_A_TOKEN),
    ):
        with RawClient(web.port) as client:
            client.send(head.encode() + b"\r\nConnection: close\r\n\r\n")
            client.reply()
    line = web.until(lambda line: line.get("status") == 404)
    web.until(lambda line: line.get("path") == "/files/last")

    assert line["path"] == "/a\r\nb\x1b"
    assert sum("Invalid" in line["message"] for line in web.lines()) == 4
    assert len(web.lines()) == len(web.log.read_text().splitlines())
    assert SECRET not in web.log.read_text()
    assert TOKEN[-12:].lower() not in web.log.read_text().lower()
    assert web.log.read_text().count(f"ferry_{TOKEN[6:18]}_…".encode("unicode_escape").decode()) >= 8


def test_a_workers_log_and_the_head_of_a_message_hold_no_byte_of_a_file(
    settings: dict[str, str], worker: Running
) -> None:
    """Of a task that is queued, retried because its file is claimed, malformed, unknown, failing."""
    app, body = create_app(settings), os.urandom(9000)
    text = base64.b64encode(body).decode()
    queue = redis.Redis.from_url(settings["CELERY_BROKER_URL"])
    worker.until(lambda line: line["message"].endswith("ready."))
    with app.app_context():
        row = claimed_file("celery", 6, body=body)
        tasks.send_inline(row.id)
        worker.until(lambda line: "retry: Retry in" in line["message"])
        taken = queue.hvals(config.current().redis.key("unacked"))
        again = json.loads(taken[-1])[0] if taken else None
        done = worker.until(lambda line: line["message"].startswith("attempt.complete"))

        celery = services_of(app).celery
        celery.send_task("ferry.upload", (row.id, text, "one too many"), argsrepr="(...)")
        celery.send_task("ferry.unheard_of", (row.id, text), argsrepr="(...)")
        with db.engine.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {FILES.name} RENAME TO gone")
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
