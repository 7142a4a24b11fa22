"""Log lines contain no secret and no byte of a file."""

from __future__ import annotations

import json
import logging

import pytest
import redis
from flask import Flask

import config
import logs
import tasks
from tests.fakes import services_of
from tests.harness.factories import pending_file
from tests.log_records import SECRET, TOKEN, failed, record


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
    """Also in an access line in the operator's own format, and in a task's id, which comes from Redis."""
    atoms = {"h": TOKEN, "m": TOKEN, "U": f"/{TOKEN}", "s": "404", "B": 0, "M": 3, "{x-request-id}o": TOKEN}
    lines = [
        record("%(h)s %(m)s %(U)s %(a)s", atoms | {"a": TOKEN}, name="gunicorn.access"),
        record("%s and %r", TOKEN, TOKEN, **logs.for_file(TOKEN), **logs.for_request(TOKEN)),
        failed(ValueError(TOKEN)),
    ]
    with logs.bound(file_id=TOKEN):
        text = "\n".join(style().format(line) for line in lines)

    assert TOKEN[19:] not in text
    assert "ferry_0123456789ab_" in text


def test_the_head_of_a_queued_task_holds_no_bytes(app: Flask) -> None:
    """No worker runs, so that it stays in the queue."""
    celery = services_of(app).celery
    celery.conf.task_always_eager = False
    options = config.current().redis
    queue = redis.Redis.from_url(options.url)
    row = pending_file("celery", b"%" * 9000)
    try:
        tasks.send_inline(row.id)
        [message] = [json.loads(each) for each in queue.lrange(options.key(options.queue), 0, -1)]
    finally:
        queue.flushdb()

    assert message["headers"]["argsrepr"] == f"({row.id!r}, ...)"
    assert "JSUl" not in json.dumps({**message, "body": ""})
    assert "JSUl" in message["body"]
