"""The pools of background threads: which jobs they accept."""

from __future__ import annotations

import threading

from flask import Flask

from background import MAX_PENDING, BackgroundPool


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
