"""Safeguards of Redis, the broker and the relay."""

from __future__ import annotations

from tests.faults.mutations import Safeguard, drop, drop_finally, drop_named, never, replace, replace_text

_REDIS = "tests/faults/test_redis_restarts.py::"
_DEAF = "tests/faults/test_deaf_workers.py::"

SAFEGUARDS = (
    Safeguard(
        "end-of-a-deaf-worker",
        "relay.worker_probe:init_app",
        drop("_.connect(...)"),
        (_DEAF + "test_a_deaf_worker_ends_and_the_next_stores_its_files[deaf]",),
    ),
    Safeguard(
        "one-task-a-waiting-file",
        "relay.task_queue:_RESERVE_TASK",
        replace_text("if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return false end", ""),
        ("tests/relay/test_queued_tasks.py",),
    ),
    Safeguard(
        "recall-of-lost-tasks",
        "modes.celery:_requeue_lost_tasks",
        never(),
        ("tests/relay/test_queued_tasks.py",),
    ),
    Safeguard(
        "prefetch-slot-freed-on-a-failed-ack",
        "relay.transport:QoS.ack",
        drop_finally(),
        (
            "tests/relay/test_transport.py",
            _REDIS + "test_tasks_that_all_end_while_redis_is_away_leave_a_worker_that_hears",
        ),
    ),
    Safeguard(
        "file-of-a-running-attempt",
        "modes.celery:is_running_attempt",
        replace("_ and _", "True"),
        ("tests/relay/test_untrusted_redis.py::test_nothing_else_is_sent",),
    ),
    Safeguard(
        "malformed-demand",
        "relay.requests:parse_request",
        replace("ValueError", "FileNotFoundError"),
        ("tests/relay/test_untrusted_redis.py::test_a_malformed_request_is_rejected",),
    ),
    Safeguard(
        "thread-that-hears-demands",
        "modes.celery:RelayServer._run",
        replace("Exception", "ZeroDivisionError"),
        ("tests/relay/test_untrusted_redis.py::test_no_exception_ends_the_relay_thread",),
    ),
    Safeguard(
        "certificate-of-redis",
        "database.redis_options:_tls",
        replace("{'ssl_cert_reqs': 'required'}", "{'ssl_cert_reqs': 'none'}"),
        ("tests/database/test_redis_options.py::test_tls_is_verified_by_default",),
    ),
    Safeguard(
        "one-reading-of-the-broker",
        "tasks:_Celery.connection_for_read",
        replace("_.conf['broker_url']", "url"),
        ("tests/relay/test_redis_tls.py::test_all_connect_or_none",),
    ),
    Safeguard(
        "keys-of-its-own",
        "tasks:settings",
        drop_named("global_keyprefix"),
        ("tests/relay/test_shared_redis.py",),
    ),
    Safeguard(
        "look-at-a-task",
        "relay.transport:_Client.parse_response",
        never(),
        ("tests/relay/test_task_messages.py::test_a_channel_drops_malformed_messages_and_continues",),
    ),
    Safeguard(
        "look-at-what-is-queued-again",
        "relay.transport:QoS.restore_by_tag",
        never(),
        ("tests/relay/test_task_messages.py::test_a_channel_drops_malformed_unacknowledged_messages",),
    ),
)
