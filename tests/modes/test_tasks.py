"""Celery's settings that keep tasks from being lost, and tasks whose file is claimed or has ended."""

from __future__ import annotations

from typing import Any

import pytest
from celery.exceptions import Retry
from flask import Flask

import tasks
from tests.fakes import services_of
from tests.harness.factories import claimed_file, failed_file, reload

REQUIRED: dict[str, Any] = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_ignore_result": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_enable_remote_control": False,
    "broker_connection_max_retries": None,
    "broker_channel_error_retry": True,
}


@pytest.mark.parametrize("name", REQUIRED)
def test_required_settings(app: Flask, name: str) -> None:
    assert services_of(app).celery.conf[name] == REQUIRED[name]


def test_redis_redelivers_no_task_that_may_still_run(app: Flask) -> None:
    conf = services_of(app).celery.conf

    assert conf.broker_transport_options["visibility_timeout"] > 2 * conf.task_time_limit


def test_a_task_whose_file_is_claimed_is_retried_after_the_lease(app: Flask) -> None:
    """The worker may have crashed: Redis redelivers its task long before the row shows that."""
    row = claimed_file("celery")
    services_of(app).celery.conf.task_always_eager = False

    for task in (tasks.upload, tasks.upload_pieces):
        task.push_request(args=(row.id, "eA=="), called_directly=False)
        with pytest.raises(Retry) as retry:
            task.run(row.id, "eA==")
        assert retry.value.when == 3
        task.pop_request()


def test_a_task_whose_file_has_ended_is_not_retried(app: Flask) -> None:
    row = failed_file("celery")

    tasks.upload(row.id, "eA==")
    assert reload(row).attempt == 1
