"""Safeguards of rows, leases, transactions, the spool and the sweep."""

from __future__ import annotations

import ast

from tests.faults.mutations import Safeguard, drop, drop_element, drop_named, never, replace, unwrap

_FAULTS = "tests/faults/test_faults.py::"
_DATABASE = "tests/faults/test_database_faults.py::"
_CLIENT = "tests/faults/test_client_faults.py::"
_PROCESS = "tests/faults/test_process_faults.py::"


def _store_before_claim(function: ast.stmt) -> None:
    """Exchange the last two statements. The value of the row is made up, since none is inserted yet."""
    assert isinstance(function, ast.FunctionDef)
    *_, claim, store = function.body
    assert isinstance(store, ast.Return)
    assert store.value is not None
    function.body[-2:] = [*ast.parse(_UNCOMMITTED_ROW).body, ast.Expr(store.value), claim]


_UNCOMMITTED_ROW = """
values = dict.fromkeys(FileRow._fields) | vars(new) | {"attempt": 1, "attempts_before": 0}
row = FileRow(**{name: values[name] for name in FileRow._fields})
"""


SAFEGUARDS = (
    Safeguard(
        "fencing-token",
        "lifecycle.transitions.fencing:UPDATE_IF_CURRENT",
        replace("_1 == _2", "_1 >= _2"),
        (_FAULTS + "test_an_attempt_resumed_after_its_lease_changes_nothing[async]",),
    ),
    Safeguard(
        "lease-before-a-claim",
        "lifecycle.transitions.claims:_CLAIM",
        replace("or_(_ == _, _)", "FILES.c.upload_status.in_([UploadStatus.PENDING, UploadStatus.PROCESSING])"),
        (_PROCESS + "test_a_task_delivered_twice_runs_once",),
    ),
    Safeguard(
        "heartbeat",
        "lifecycle.leases:LeaseRenewer._renew_if_due",
        never(),
        (_FAULTS + "test_an_upload_longer_than_its_lease_keeps_it[async]",),
    ),
    Safeguard(
        "digest-of-spooled-bytes",
        "content.hashing:Hashing.verify",
        never(),
        (_CLIENT + "test_bytes_damaged_in_the_spool_are_never_stored[truncated]",),
    ),
    Safeguard(
        "sweep-of-files",
        "sweep.sweeper:Sweeper.run_once",
        drop("sweep_files(...)"),
        (_FAULTS + "test_a_killed_web_process_loses_no_accepted_file",),
    ),
    Safeguard(
        "sweep-of-multipart-uploads",
        "sweep.sweeper:Sweeper.__init__",
        drop_element("('uploads', ...)"),
        (_FAULTS + "test_a_killed_web_process_loses_no_accepted_file",),
    ),
    Safeguard(
        "entries-in-the-transaction",
        "lifecycle.transitions.outcomes:set_complete",
        drop_named("entries"),
        ("tests/lifecycle/test_outbox.py::test_the_sweep_delivers_what_a_dead_process_left",),
    ),
    Safeguard(
        "live-uploads-spared",
        "sweep.rules:is_orphan_multipart_upload",
        replace("_ not in _", "True"),
        ("tests/sweep/test_sweep_rules.py",),
    ),
    Safeguard(
        "recovery-of-a-stored-object",
        "lifecycle.attempts:recover_if_stored",
        replace("_.matches(...)", "False"),
        (_FAULTS + "test_a_file_whose_object_exists_is_not_sent_again",),
    ),
    Safeguard(
        "retry-of-the-completion",
        "lifecycle.attempts:complete",
        replace("retry_while_unavailable(lambda: _1, ...)", "_1"),
        (_DATABASE + "test_an_upload_waits_for_a_database_that_was_killed[normal]",),
    ),
    Safeguard(
        "requeue-at-sigterm",
        "shutdown:begin",
        drop("_.start()"),
        (_FAULTS + "test_a_stopping_process_requeues_files_in_flight",),
    ),
    Safeguard(
        "row-before-bytes",
        "modes.normal:accept",
        _store_before_claim,
        (_FAULTS + "test_the_row_is_committed_before_a_byte_leaves",),
    ),
    Safeguard(
        "deletion-revokes-the-lease",
        "lifecycle.transitions.deletion:_MARK_DELETED",
        drop_named("attempt"),
        ("tests/lifecycle/test_deletion_of_claimed_files.py",),
    ),
    Safeguard(
        "expiry-by-the-database-clock",
        "lifecycle.transitions.claims:_INSERT",
        replace("_ + bindparam('ttl', type_=_1)", "__import__('time').time() + bindparam('ttl', type_=_1)"),
        (
            "tests/lifecycle/test_clocks.py",
            "tests/database/test_on_postgresql.py",
        ),
    ),
    Safeguard(
        "limit-of-failed-files",
        "sweep.sweeper:Sweeper.run_once",
        drop("sweep_failed(...)"),
        ("tests/sweep/test_sweep_failed.py",),
    ),
    Safeguard(
        "retried-files-spared",
        "lifecycle.transitions.deletion:_MARK_FAILED_DELETED",
        replace("_1.where(_, _2)", "_1.where(_2)"),
        ("tests/sweep/test_sweep_failed.py",),
    ),
    Safeguard(
        "read-only-is-unavailable",
        "database.postgresql:Connections.handle_error",
        replace("not _1", "not _1 or code == _READ_ONLY"),
        ("tests/database/test_postgresql.py",),
    ),
    Safeguard(
        "ready-checks-for-writes",
        "database.postgresql:check",
        never(),
        ("tests/database/test_postgresql_failures.py",),
    ),
    Safeguard(
        "no-prepared-statements-behind-a-pooler",
        "database.postgresql:_mark_pooled",
        replace("None", "connection.prepare_threshold"),
        ("tests/database/test_postgresql_failures.py",),
    ),
    Safeguard(
        "savepoint-of-a-group-commit",
        "database.group_commit:_Write.run",
        unwrap(),
        ("tests/database/test_group_commit.py",),
    ),
    Safeguard(
        "failed-group-commit-reported",
        "database.group_commit:GroupCommit._commit_batch",
        drop("_.error = _"),
        ("tests/database/test_group_commit.py",),
    ),
    Safeguard(
        "id-checked-before-a-path",
        "spool:Spool.path",
        never(),
        ("tests/test_spool.py::test_only_an_id_has_a_path",),
    ),
    # Unnoticed without a power cut: a test watches the calls.
    Safeguard(
        "fsync-of-the-spool",
        "spool:_write",
        drop("os.fsync(...)"),
        ("tests/test_spool_disk.py::test_bytes_reach_the_disk_before_the_name_does_and_the_name_before_the_return",),
    ),
)
