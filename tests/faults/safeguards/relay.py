"""Safeguards of Redis, the broker and the relay."""

from __future__ import annotations

from tests.faults.mutations import Safeguard, drop, drop_finally, drop_named, never, replace, replace_text

_REDIS = "tests/faults/test_redis_restarts.py::"
_DEAF = "tests/faults/test_deaf_workers.py::"

SAFEGUARDS = (
    Safeguard(
        "exit-of-a-deaf-worker",
        "broker.worker_probe:init_app",
        drop("_.connect(...)"),
        (_DEAF + "test_a_deaf_worker_exits_and_its_successor_stores_the_files[deaf]",),
    ),
    Safeguard(
        "one-task-per-waiting-file",
        "broker.task_queue:_MARK_QUEUED",
        replace_text("if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return false end", ""),
        ("tests/broker/test_queued_tasks.py",),
    ),
    Safeguard(
        "recall-of-lost-tasks",
        "modes.celery_:_requeue_lost_tasks",
        never(),
        ("tests/broker/test_queued_tasks.py",),
    ),
    Safeguard(
        "prefetch-slot-after-a-failed-ack",
        "broker.transport:QoS.ack",
        drop_finally(),
        (
            "tests/broker/test_transport.py",
            _REDIS + "test_a_worker_takes_tasks_after_redis_was_down_at_their_end",
        ),
    ),
    Safeguard(
        "relay-for-the-running-attempt",
        "relay.server:is_running_attempt",
        replace("_ and _", "True"),
        ("tests/relay/test_sent_files.py::test_a_request_for_any_other_file_is_refused",),
    ),
    Safeguard(
        "malformed-relay-request",
        "relay.requests:parse_request",
        replace("ValueError", "FileNotFoundError"),
        ("tests/relay/test_relay_requests.py::test_a_malformed_request_is_rejected",),
    ),
    Safeguard(
        "relay-thread-survives-errors",
        "relay.server:RelayServer._run",
        replace("Exception", "ZeroDivisionError"),
        ("tests/relay/test_relay_requests.py::test_no_exception_ends_the_relay_thread",),
    ),
    Safeguard(
        "redis-certificate",
        "database.redis_options:_tls",
        replace("{'ssl_cert_reqs': 'required'}", "{'ssl_cert_reqs': 'none'}"),
        ("tests/database/test_redis_options.py::test_tls_is_verified_by_default",),
    ),
    Safeguard(
        "one-broker-url",
        "tasks:_Celery.connection_for_read",
        replace("_.conf['broker_url']", "url"),
        ("tests/relay/test_redis_tls.py::test_all_clients_follow_the_same_tls_settings",),
    ),
    Safeguard(
        "redis-key-prefix",
        "tasks:settings",
        drop_named("global_keyprefix"),
        ("tests/relay/test_shared_redis.py",),
    ),
    Safeguard(
        "malformed-task",
        "broker.transport:_Client.parse_response",
        never(),
        ("tests/broker/test_task_messages.py::test_a_channel_drops_malformed_messages_and_continues",),
    ),
    Safeguard(
        "malformed-unacknowledged-task",
        "broker.transport:QoS.restore_by_tag",
        never(),
        ("tests/broker/test_task_messages.py::test_a_channel_drops_malformed_unacknowledged_messages",),
    ),
)
