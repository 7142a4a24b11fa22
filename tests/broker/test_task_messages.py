"""Messages that are not Ferry's tasks are dropped, logged by size, and end no worker."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from flask import Flask

import config
import tasks
from broker.task_messages import is_task, is_unacknowledged
from tests.fakes import services_of
from tests.harness.factories import pending_file
from tests.relay.conftest import ID

NOTHING = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def body(*args: Any, kwargs: Any = None, embed: Any = NOTHING) -> str:
    return json.dumps([args, kwargs or {}, embed])


def message(task: Any = "ferry.upload", text: Any = None, *, without: str = "", **changes: Any) -> bytes:
    """A task as Celery queues it, with `changes` to its headers, properties or top-level fields."""
    headers = {
        "lang": "py", "task": task, "id": ID, "shadow": None, "eta": None, "expires": None, "group": None,
        "group_index": None, "retries": 0, "timelimit": [None, None], "root_id": ID, "parent_id": None,
        "argsrepr": "x", "kwargsrepr": "{}", "origin": "gen1@host", "ignore_result": True,
        "replaced_task_nesting": 0, "stamped_headers": None, "stamps": {},
    }  # fmt: skip
    properties = {
        "correlation_id": ID, "reply_to": ID, "delivery_mode": 2, "priority": 0, "body_encoding": "utf-8",
        "delivery_info": {"exchange": "", "routing_key": "q"}, "delivery_tag": str(uuid4()),
    }  # fmt: skip
    whole: dict[str, Any] = {
        "body": body(ID, "eA==") if text is None else text,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": properties,
    }
    for part in (headers, properties, whole):
        part |= {name: value for name, value in changes.items() if name in part}  # type: ignore[operator]
        part.pop(without, None)
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    "good",
    [
        message(),
        message(text=body(ID, "")),
        message("ferry.upload_pieces", body(ID, ID)),
        message(retries=7, eta="2026-01-01T00:00:00.5+00:00"),
        message(timelimit=[3600, 3540]),
        message(delivery_info={"exchange": "", "routing_key": "q", "redelivered": True}),
    ],
)
def test_a_valid_task_is_accepted(good: bytes) -> None:
    assert is_task(good)
    assert is_unacknowledged(json.dumps([json.loads(good), "", "q"]).encode())


MALFORMED = {
    "one argument": message(text=body(ID)),
    "no argument": message(text=body()),
    "three arguments": message(text=body(ID, "eA==", "x")),
    "numbers": message(text=body(1, 2)),
    "nulls": message(text=body(None, None)),
    "lists": message(text=body([], {})),
    "a path": message(text=body("../ferry.db", "eA==")),
    "a nul": message(text=body("\0", "eA==")),
    "half a pair in the id": message(text=body("\ud800", "eA==")),
    "half a pair in the text": message(text=body(ID, "\ud800")),
    "half a pair in the head": message(origin="\ud800"),
    "keywords": message(text=body(kwargs={"id": ID, "text": "eA=="})),
    "a malformed web process": message("ferry.upload_pieces", body(ID, "x:y")),
    "a callback": message(text=body(ID, "eA==", embed={**NOTHING, "callbacks": [{"task": "ferry.upload"}]})),
    "a chain of junk": message(text=body(ID, "eA==", embed={**NOTHING, "chain": 9})),
    "arguments as text": message(text='["ab", {}, {}]'),
    "keywords as a list": message(text=f'[["{ID}", "eA=="], [], {{}}]'),
    "another app's task": message("other.add"),
    "one of Celery's own": message("celery.backend_cleanup", body()),
    "a task without a name": message(None),
    "a task that is a number": message(5),
    "a task that is a list": message([]),
    "a body that is a number": message(text=5),
    "a body that is no JSON": message(text="not json"),
    "a body that is a list": message(text="[]"),
    "a body that is an object": message(text="{}"),
    "a deep body": message(text="[" * 100_000),
    "a pickle": message(
        text=base64.b64encode(pickle.dumps([(1,), {}, {}])).decode(),
        **{"content-type": "application/x-python-serialize", "body_encoding": "base64"},
    ),
    "yaml": message(**{"content-type": "application/x-yaml"}),
    "a type that is a number": message(**{"content-type": 5}),
    "no type": message(without="content-type"),
    "an encoding": message(**{"content-encoding": "utf-99"}),
    "an encoding that is a number": message(**{"content-encoding": 5}),
    "an encoding of the body": message(body_encoding="nope"),
    "malformed base64": message(text="!!!", body_encoding="base64"),
    "no head": message(without="headers"),
    "a head that is a list": message(headers=[]),
    "no properties": message(without="properties"),
    "properties that are a list": message(properties=[]),
    "no delivery": message(without="delivery_info"),
    "a delivery that is a list": message(delivery_info=[]),
    "a delivery to nowhere": message(delivery_info={"exchange": ""}),
    "no tag": message(without="delivery_tag"),
    "a tag that is a list": message(delivery_tag=[]),
    "a tag that is an object": message(delivery_tag={}),
    "no body": message(without="body"),
    "a malformed time": message(eta="never"),
    "a time that is a number": message(eta=5),
    "a time that never comes": message(eta="9999-12-31T00:00:00+00:00"),
    "an end": message(expires="2001-01-01T00:00:00+00:00"),
    "limits that are text": message(timelimit="x"),
    "limits that are negative": message(timelimit=[-1, -1]),
    "retries that are text": message(retries="x"),
    "retries that are true": message(retries=True),
    "no id": message(id=None),
    "an id that is a list": message(id=[]),
    "stamps": message(stamped_headers=5, stamps=7),
    "an object in the head": message(group={}),
    "a list": b"[]",
    "a number": b"5",
    "null": b"null",
    "text": b'"x"',
    "an object": b"{}",
    "no JSON": b"not json",
    "nothing": b"",
    "binary": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "an object of kombu's": b'{"__type__": "uuid", "__value__": 5}',
    "huge": b'"' + b"x" * (2 << 20) + b'"',
}


@pytest.mark.parametrize("name", MALFORMED)
def test_any_other_message_is_rejected(name: str) -> None:
    assert not is_task(MALFORMED[name])


@pytest.mark.parametrize("entry", [b"", b"x", b"[]", b"[{}, 1, 2]", b'["", "", ""]', b'[{}, "", "q"]', b"[[], [], []]"])
def test_a_malformed_message_is_not_requeued(entry: bytes) -> None:
    assert not is_unacknowledged(entry)


@pytest.fixture
def queue(app: Flask, valkey: str) -> Iterator[redis.Redis]:
    services_of(app).celery.conf.task_always_eager = False
    client = redis.Redis.from_url(valkey)
    client.flushall()
    yield client
    client.flushall()
    client.close()


def test_a_channel_drops_malformed_messages_and_continues(
    app: Flask, queue: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    options = config.current().redis
    queue.lpush(options.key(options.queue), *MALFORMED.values())
    row = pending_file("celery")
    tasks.send_inline(row.id)

    with services_of(app).celery.connection_for_read() as connection:
        taken = connection.SimpleQueue(options.queue).get(timeout=5)
        assert row.id in taken.headers["argsrepr"]
        taken.ack()
    said = [record.getMessage() for record in caplog.records if record.name == "ferry.broker"]
    assert said == [
        f"queue.message_malformed: a message of {len(each)} bytes is dropped" for each in MALFORMED.values()
    ]


def test_a_channel_drops_malformed_unacknowledged_messages(
    app: Flask, queue: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """kombu would requeue them at each start of a worker, and log their contents."""
    options, good = config.current().redis, message()
    unacked, index = options.key("unacked"), options.key("unacked_index")
    entries = {"junk": b"not json", "secret": b'[{"headers": "secret"}, "", "q"]', "good": None}
    entries["good"] = json.dumps([json.loads(good), "", options.queue]).encode()
    queue.hset(unacked, mapping=entries)  # type: ignore[arg-type]
    queue.zadd(index, dict.fromkeys(entries, 1))
    with services_of(app).celery.connection_for_read() as connection:
        connection.default_channel.qos.restore_visible(num=10)

    assert (queue.hlen(unacked), queue.zcard(index)) == (0, 0)
    assert [json.loads(each)["headers"]["id"] for each in queue.lrange(options.key(options.queue), 0, -1)] == [ID]
    assert "secret" not in caplog.text
    assert caplog.text.count("queue.unacknowledged_malformed") == 2
