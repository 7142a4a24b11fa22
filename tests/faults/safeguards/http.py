"""Safeguards of the server, the views, authentication and quotas."""

from __future__ import annotations

from tests.faults.mutations import Safeguard, always, drop, never, replace, return_value, unwrap

_FAULTS = "tests/faults/test_faults.py::"
_SLOW = "tests/bad_input/test_slow_clients.py::"

SAFEGUARDS = (
    Safeguard(
        "declared-length",
        "server.body:iter_body",
        never(),
        (_FAULTS + "test_a_truncated_body_is_never_stored",),
    ),
    Safeguard(
        "idempotency-key",
        "file:ingest",
        replace("_1.idempotent(_, _2)", "_1.idempotent(None, _2)"),
        (_FAULTS + "test_five_requests_with_one_key_make_one_file",),
    ),
    Safeguard(
        "threads-for-complete-heads",
        "server.worker:Worker.enqueue_req",
        always("_.is_ssl"),
        (_SLOW + "test_unfinished_heads_block_no_other_client",),
    ),
    Safeguard(
        "connections-shared-by-address",
        "server.eviction:index_to_evict",
        return_value("0"),
        ("tests/bad_input/test_many_clients.py",),
    ),
    Safeguard(
        "slots-of-unread-responses",
        "server.slots:ProcessSlots.acquire",
        never("_ >= _"),
        ("tests/bad_input/test_many_clients.py", "tests/bad_input/test_send_slots.py"),
    ),
    Safeguard(
        "minimum-rate-of-a-body",
        "server.min_rate:MinRate.record",
        never("_._ >= _._"),
        (
            "tests/server/test_min_rate.py",
            _SLOW + "test_stalled_bodies_are_cut",
        ),
    ),
    Safeguard(
        "slot-of-a-json-body",
        "api.json_bodies:read_json",
        unwrap(),
        ("tests/api/test_json_bodies.py::test_no_byte_of_a_body_is_read_without_a_slot",),
    ),
    Safeguard(
        "close-after-an-unread-body",
        "server.responses:LimitedResponse.should_close",
        replace("_1 or _2", "_1"),
        ("tests/bad_input/test_early_answers.py",),
    ),
    Safeguard(
        "owner-in-queries",
        "lifecycle.queries:_BY_ID_AND_OWNER",
        replace("_ == _1", "_1 != ''"),
        ("tests/auth/test_guards.py",),
    ),
    Safeguard(
        "quota-in-the-transaction",
        "lifecycle.transitions.claims:_insert_with_quota",
        replace("_.adjust(_, _, _1, ...)", "_1"),
        ("tests/quotas/test_storage_quota.py",),
    ),
    Safeguard(
        "share-of-the-spool",
        "quotas.spool_budget:available",
        replace("_1 if _ else _", "_1"),
        (
            "tests/test_spool_max_bytes.py",
            "tests/quotas/test_spool_budget.py",
        ),
    ),
    Safeguard(
        "only-received-bytes-counted",
        "quotas.spool_budget:SpoolBudget.record",
        replace("max(_1, min(_2, _3))", "max(_1, min(upload.max_bytes or _2, _3))"),
        (
            "tests/test_spool_max_bytes.py",
            "tests/quotas/test_spool_budget.py",
        ),
    ),
    Safeguard(
        "token-comparison",
        "auth.api_keys:LiveApiKey.verify",
        return_value("True"),
        ("tests/auth/test_api_keys.py",),
    ),
    Safeguard(
        "type-checked-before-the-row",
        "file:ingest",
        drop("check_allowed(...)"),
        ("tests/content/test_policy.py",),
    ),
    Safeguard(
        "chunk-fields-refused",
        "api.upload_request.form:_Form._read_text",
        drop("reject_file_chunk(...)"),
        ("tests/api/test_partial_uploads.py",),
    ),
    Safeguard(
        "invalid-form-leaves-no-row",
        "file:store",
        never("_ == 'normal'"),
        ("tests/api/test_late_form_errors.py",),
    ),
    Safeguard(
        "late-field-refused",
        "api.upload_request.fields:Fields.check_late",
        never("not applies"),
        ("tests/api/test_form_fields.py",),
    ),
    Safeguard(
        "unknown-parameter-refused",
        "api.query_names:check_names",
        never("_ not in _"),
        ("tests/api/test_query_names.py",),
    ),
    Safeguard(
        "chunk-headers-refused",
        "api.upload_request.request:parse",
        drop("reject_file_chunk(...)"),
        ("tests/api/test_partial_uploads.py",),
    ),
    Safeguard(
        "no-byte-of-a-filename-dropped",
        "content.filename_encoding:_text",
        replace("_1.decode(_2)", "_1.decode(_2, 'ignore')"),
        ("tests/content/test_filename_encoding.py",),
    ),
    Safeguard(
        "part-header-limit",
        "api.upload_request.parser:_Parser._on_segment_headerline",
        never(),
        ("tests/api/test_malformed_forms.py",),
    ),
    Safeguard(
        "filename-limit-before-normalisation",
        "content.filenames:display_name",
        replace("_ if _ > _ else _1", "_1"),
        ("tests/security/test_hostile_input.py",),
    ),
    Safeguard(
        "stop-signals-kept-over-forks",
        "gunicorn.conf:on_starting",
        drop("stop_signals.block_over_forks()"),
        ("tests/server/test_stops.py::test_a_stop_signal_reaches_a_process_that_was_just_forked",),
    ),
    Safeguard(
        "object-checked-before-a-link",
        "api.downloads:_presigned_url",
        drop("require_object(...)"),
        ("tests/api/test_object_missing.py",),
    ),
    Safeguard(
        "owner-of-a-replay",
        "lifecycle.idempotency:_claim",
        replace("_1.get_owned(_, _2)", "_1.find(_2)"),
        ("tests/lifecycle/test_replays_of_adopted_files.py",),
    ),
    Safeguard(
        "no-token-in-logs",
        "content.redaction:redact_secrets",
        replace("redact_tokens(_1)", "_1"),
        ("tests/test_log_secrets.py::test_a_token_is_redacted_in_every_field",),
    ),
    Safeguard(
        "no-token-as-request-id",
        "server.request_ids:request_id",
        replace("_1 and _2 and _3", "_1 and _2"),
        ("tests/api/test_request_ids.py",),
    ),
)
