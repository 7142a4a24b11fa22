"""A prefetch slot is freed by each acknowledgement, also if Redis fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from kombu import Connection

import tasks
from broker import transport
from config import Config
from tests.fakes import services_of


@pytest.fixture
def channel(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A channel with one prefetch slot, taken by one message."""
    monkeypatch.setattr(transport, "is_task", lambda message: True)
    monkeypatch.setattr(transport, "is_unacknowledged", lambda entry: True)
    with services_of(app).celery.connection_for_read() as connection:
        channel = connection.channel()
        queue = connection.SimpleQueue("ferry-test-slots", channel=channel)
        channel.basic_qos(0, 1, False)
        queue.put("x")
        message = queue.get(timeout=5)
        assert not channel.qos.can_consume()
        channel.held = message
        yield channel
        channel.queue_purge("ferry-test-slots")


def unreachable(*_: Any, **__: Any) -> None:
    raise ConnectionError


@pytest.mark.parametrize("end", ["ack", "reject", "requeue"])
def test_a_slot_is_freed_even_if_redis_fails(channel: Any, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setattr(channel.qos, "_remove_from_indices", unreachable)
    with pytest.raises(ConnectionError):
        getattr(channel.held, end)()

    assert channel.qos.can_consume()


@pytest.mark.parametrize("end", ["ack", "reject", "requeue"])
def test_a_slot_is_freed_after_an_acknowledgement(channel: Any, end: str) -> None:
    getattr(channel.held, end)()

    assert channel.qos.can_consume()
    assert not channel.client.hexists(channel.unacked_key, channel.held.delivery_tag)


def test_taken_messages_are_counted(channel: Any) -> None:
    before = transport.QoS.taken
    channel.qos.append(channel.held, "another")

    assert transport.QoS.taken == before + 1
    channel.qos.ack("another")


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_every_connection_to_redis_frees_its_slots(app: Flask, settings: dict[str, str], scheme: str) -> None:
    url = settings["CELERY_BROKER_URL"].replace("redis:", f"{scheme}:")
    conf = tasks.settings(Config.from_env({**settings, "CELERY_BROKER_URL": url}))

    assert Connection(conf["broker_url"]).transport.Channel.QoS is transport.QoS
