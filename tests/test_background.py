"""The pools of background threads: which jobs they accept."""

from __future__ import annotations

import threading
from unittest.mock import Mock

import pytest
from flask import Flask

from background import MAX_PENDING, BackgroundPool


def test_a_job_is_refused_if_no_thread_can_be_started(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    pool, ran = BackgroundPool(app, "test", 1), threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
        assert not pool.submit(0, ran.set)

    assert pool.submit(0, ran.set)
    pool.drain(cancel_pending=False)
    assert ran.is_set()


def test_a_job_is_refused_while_one_with_its_key_is_pending_or_the_pool_is_full(app: Flask) -> None:
    pool, released = BackgroundPool(app, "test", 1), threading.Event()
    assert pool.submit(0, released.wait)
    assert not pool.submit(0, released.wait)
    assert all(pool.submit(key, released.wait) for key in range(1, MAX_PENDING + 1))
    assert not pool.submit("one more", released.wait)

    released.set()
    pool.drain(cancel_pending=False)
    assert pool.submit(0, released.wait)
    pool.drain(cancel_pending=False)
