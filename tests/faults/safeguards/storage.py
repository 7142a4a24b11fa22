"""Safeguards of the S3 client and of what follows from its errors."""

from __future__ import annotations

from tests.faults.mutations import Safeguard, drop, never, replace

_FAULTS = "tests/faults/test_faults.py::"

SAFEGUARDS = (
    Safeguard(
        "head-after-an-upload",
        "storage.s3.object_client:ObjectClient.verify",
        replace("_.stat(_1, ...)", "Stat(_1, sent.size, sent.etag)"),
        (_FAULTS + "test_a_storage_that_confirms_but_drops_the_bytes_is_detected",),
    ),
    Safeguard(
        "comparison-with-the-head",
        "storage.s3.object_client:ObjectClient.verify",
        never(),
        (_FAULTS + "test_a_storage_that_drops_half_of_the_bytes_is_detected",),
    ),
    Safeguard(
        "digest-of-a-part",
        "storage.s3.checksums:check_response",
        drop("_('MD5', ...)"),
        (_FAULTS + "test_bytes_damaged_in_transit_are_sent_again",),
    ),
    Safeguard(
        "resend-of-damaged-bytes",
        "storage.s3.part_uploader:retry_mismatch",
        replace("range(_)", "()"),
        (_FAULTS + "test_a_damaged_send_is_repeated_within_the_only_attempt",),
    ),
    Safeguard(
        "removal-of-a-mismatched-object",
        "lifecycle.attempts:fail",
        never("StorageMismatch"),
        ("tests/lifecycle/test_wrong_bytes.py",),
    ),
    # Unnoticed with all of Ferry, since the sweep aborts what is left: the storage's own tests notice.
    Safeguard(
        "abort-of-a-failed-upload",
        "storage.s3.upload:S3Upload.close",
        drop("_.abort(...)"),
        ("tests/storage/test_storage_s3.py",),
    ),
    Safeguard(
        "digest-of-resumed-parts",
        "storage.s3.resume:reusable_part",
        replace("_1 if _ else None", "_1"),
        ("tests/storage/test_resume.py",),
    ),
    Safeguard(
        "no-abort-after-an-unanswered-complete",
        "storage.s3.upload:S3Upload._keeps_parts",
        replace("is_unanswered(_)", "False"),
        ("tests/storage/test_lost_responses.py::test_an_upload_whose_complete_got_no_response_is_not_aborted",),
    ),
    Safeguard(
        "grace-after-an-unanswered-complete",
        "sweep.rules:is_orphan_multipart_upload",
        replace("_ > min(_, _)", "True"),
        ("tests/sweep/test_sweep_rules.py",),
    ),
    Safeguard(
        "progress-on-a-slow-connection",
        "storage.s3.connection:wait_for",
        never("_ < _"),
        ("tests/storage/test_http_timeouts.py::test_a_slow_line_is_not_a_silent_one",),
    ),
    Safeguard(
        "whole-request-before-reuse",
        "storage.s3.connection:Connection.is_reusable",
        replace("_ and _1 and _2", "_1 and _2"),
        ("tests/storage/test_early_responses.py",),
    ),
    Safeguard(
        "lost-lease-check",
        "file:store",
        drop("_.check()"),
        (
            "tests/lifecycle/test_leases.py",
            "tests/test_file.py",
        ),
    ),
)
