"""Safeguards of rows, leases, transactions, the spool and the sweep."""

from __future__ import annotations

import ast

from tests.faults.mutations import Safeguard, drop, drop_element, drop_named, never, replace, unwrap

_FAULTS = "tests/faults/test_faults.py::"
_DATABASE = "tests/faults/test_database_faults.py::"
_CLIENT = "tests/faults/test_client_faults.py::"
_PROCESS = "tests/faults/test_process_faults.py::"


def _store_before_claim(function: ast.stmt) -> None:
    """Exchange the last two statements."""
    assert isinstance(function, ast.FunctionDef)
    *_, claim, store = function.body
    function.body[-2:] = [*ast.parse("row.attempt = 1").body, store, claim]


SAFEGUARDS = (
    Safeguard(
        "fence",
        "lifecycle.transitions.fencing:UPDATE_IF_CURRENT",
        replace("_1 == _2", "_1 >= _2"),
        (_FAULTS + "test_a_holder_that_stood_still_past_its_lease_changes_nothing[async]",),
    ),
    Safeguard(
        "lease-of-a-claim",
        "lifecycle.transitions.claims:_CLAIM",
        replace("or_(_ == _, _)", "FILES.c.upload_status.in_([UploadStatus.PENDING, UploadStatus.PROCESSING])"),
        (_PROCESS + "test_a_task_that_comes_twice_is_done_once",),
    ),
    Safeguard(
        "heartbeat",
        "lifecycle.leases:LeaseRenewer._renew_if_due",
        never(),
        (_FAULTS + "test_an_upload_that_outlasts_its_lease_stays_with_its_holder[async]",),
    ),
    Safeguard(
        "digest-of-kept-bytes",
        "lifecycle.hashing:HashingStream.verify",
        never(),
        (_CLIENT + "test_bytes_that_are_damaged_in_the_spool_are_never_stored[truncated]",),
    ),
    Safeguard(
        "sweep-of-rows",
        "sweep.sweeper:Sweeper.run_once",
        drop("sweep_files(...)"),
        (_FAULTS + "test_a_killed_web_process_loses_no_accepted_file",),
    ),
    Safeguard(
        "sweep-of-uploads-in-parts",
        "sweep.sweeper:Sweeper.__init__",
        drop_element("('uploads', ...)"),
        (_FAULTS + "test_a_killed_web_process_loses_no_accepted_file",),
    ),
    Safeguard(
        "live-uploads-are-spared",
        "sweep.rules:is_orphan_upload",
        replace("_ not in _", "True"),
        ("tests/sweep/test_sweep_rules.py",),
    ),
    Safeguard(
        "look-for-the-object",
        "lifecycle.attempts:recover_if_stored",
        replace("_.matches(...)", "False"),
        (_FAULTS + "test_a_file_whose_object_is_there_is_not_sent_again",),
    ),
    Safeguard(
        "retry-of-the-finish",
        "lifecycle.attempts:complete",
        replace("retry_while_unavailable(lambda: _1, ...)", "_1"),
        (_DATABASE + "test_a_database_that_dies_during_an_upload_is_waited_for[normal]",),
    ),
    Safeguard(
        "hand-back-at-sigterm",
        "shutdown:begin",
        drop("_.start()"),
        (_FAULTS + "test_a_process_that_is_stopped_hands_back_what_it_can_not_finish",),
    ),
    Safeguard(
        "row-before-bytes",
        "modes.normal:upload",
        _store_before_claim,
        (_FAULTS + "test_the_row_is_there_before_a_byte_leaves",),
    ),
    Safeguard(
        "deleting-takes-the-file-away",
        "lifecycle.transitions.removal:_DELETE",
        drop_named("attempt"),
        ("tests/lifecycle/test_deletion.py",),
    ),
    Safeguard(
        "expiry-by-the-databases-clock",
        "lifecycle.transitions.claims:insert",
        replace("_1 - _", "_1 - __import__('time').time()"),
        (
            "tests/lifecycle/test_clocks.py",
            "tests/database/test_on_postgresql.py",
        ),
    ),
    Safeguard(
        "bound-of-files-in-error",
        "sweep.sweeper:Sweeper.run_once",
        drop("sweep_failed(...)"),
        ("tests/sweep/test_sweep_failed.py",),
    ),
    Safeguard(
        "retried-files-are-spared",
        "lifecycle.transitions.removal:_DELETE_FAILED",
        replace("_1.where(_, _2)", "_1.where(_2)"),
        ("tests/sweep/test_sweep_failed.py",),
    ),
    Safeguard(
        "read-only-is-away",
        "database.postgresql:Connections.handle_error",
        replace("not _1", "not _1 or code == _READ_ONLY"),
        ("tests/database/test_postgresql.py",),
    ),
    Safeguard(
        "ready-asks-for-changes",
        "database.postgresql:check",
        never(),
        ("tests/database/test_postgresql_failures.py",),
    ),
    Safeguard(
        "nothing-prepared-behind-a-pooler",
        "database.postgresql:_mark_pooled",
        replace("None", "connection.prepare_threshold"),
        ("tests/database/test_postgresql_failures.py",),
    ),
    Safeguard(
        "undone-apart-from-the-others",
        "database.group_commit:_Write.run",
        unwrap(),
        ("tests/database/test_group_commit.py",),
    ),
    Safeguard(
        "one-end-for-all",
        "database.group_commit:GroupCommit._commit_batch",
        drop("_.error = _"),
        ("tests/database/test_group_commit.py",),
    ),
    Safeguard(
        "id-before-a-path",
        "spool:Spool.path",
        never(),
        ("tests/test_spool.py::test_only_an_id_has_a_path",),
    ),
    # Unnoticed without a power cut: a test watches the calls.
    Safeguard(
        "fsync-of-the-spool",
        "spool:_write",
        drop("os.fsync(...)"),
        ("tests/test_spool.py::test_bytes_reach_the_disk_before_the_name_does_and_the_name_before_the_return",),
    ),
)
