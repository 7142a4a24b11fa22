"""The cache of API keys: few queries, new tokens at once, guesses bounded."""

from __future__ import annotations

import pytest
from flask import Flask

from auth import api_keys
from auth.key_cache import KeyCache
from tests.harness.clock import Clock


@pytest.fixture
def queried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the keys that were read from the database."""
    queried: list[str] = []
    get_live = api_keys.get_live
    monkeypatch.setattr(api_keys, "get_live", lambda id: queried.append(id) or get_live(id))
    return queried


def test_a_key_is_read_once_for_many_requests(app: Flask, queried: list[str]) -> None:
    cache, token = KeyCache(Clock(100)), api_keys.create("alice", ["read"], None)
    for _ in range(3):
        cache.lookup(token)

    assert len(queried) == 1


def test_a_rotated_token_is_accepted_at_once(app: Flask) -> None:
    cache, old = KeyCache(Clock(100)), api_keys.create("alice", ["read"], None)
    id = old.split("_")[1]
    assert cache.lookup(old)
    new = api_keys.rotate(id, 60) or ""
    assert [cache.lookup(token) for token in (new, old)] == [api_keys.get_live(id)] * 2

    newest = api_keys.rotate(id, -1) or ""
    assert cache.lookup(newest)
    assert [cache.lookup(token) for token in (old, new)] == [None, None]


def test_only_the_right_token_records_a_use(app: Flask) -> None:
    clock = Clock(100)
    cache, token = KeyCache(clock), api_keys.create("alice", ["read"], None)
    cache.lookup(token[:-3] + "AAA")
    assert [key.used_at for key in api_keys.list_keys()] == [None]

    cache.lookup(token)
    [used_at] = [key.used_at for key in api_keys.list_keys()]
    assert used_at is not None
    clock.now += 60
    cache.lookup(token)
    assert [key.used_at for key in api_keys.list_keys()] == [used_at]


def test_guessing_tokens_costs_one_query_a_second_for_each_key(app: Flask, queried: list[str]) -> None:
    clock = Clock(100)
    cache = KeyCache(clock)
    tokens = [api_keys.create("alice", ["read"], None) for _ in range(2)]
    wrong = [token[:-3] + "AAA" for token in tokens]
    for second in range(10):
        clock.now = 100.0 + second
        assert [cache.lookup(token) for token in wrong * 20] == [None] * 40
        assert all(cache.lookup(token) for token in tokens)

    assert len(queried) == 2 * 10
