"""What keeps Ferry's promises, how to take it out, and the tests that must notice."""

from __future__ import annotations

from dataclasses import dataclass

_FAULTS = "tests/faults/test_faults.py::"
_DATABASE = "tests/faults/test_database_faults.py::"
_CLIENT = "tests/faults/test_client_faults.py::"
_SLOW = "tests/bad_input/test_slow_clients.py::"
_REDIS = "tests/faults/test_redis_restarts.py::"
_DEAF = "tests/faults/test_deaf_workers.py::"
_PROCESS = "tests/faults/test_process_faults.py::"


@dataclass(frozen=True)
class Safeguard:
    """`text` stands in `file` exactly once; with `instead` in its place one of `tests` must fail."""

    name: str
    file: str
    text: str
    instead: str
    tests: tuple[str, ...]


SAFEGUARDS = (
    Safeguard(
        "end-of-a-deaf-worker",
        "relay/worker_probe.py",
        "    worker_ready.connect(start, weak=False)\n",
        "",
        (_DEAF + "test_a_deaf_worker_ends_and_the_next_stores_its_files[deaf]",),
    ),
    Safeguard(
        "one-task-a-waiting-file",
        "relay/channel.py",
        "if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return false end",
        "",
        ("tests/relay/test_queued_tasks.py",),
    ),
    Safeguard(
        "recall-of-lost-tasks",
        "modes/celery.py",
        "services.relay.may_have_lost_tasks() and (found := transitions.recall(2 * services.leases.seconds))",
        "(found := 0)",
        ("tests/relay/test_queued_tasks.py",),
    ),
    Safeguard(
        "prefetch-slot-freed-on-a-failed-ack",
        "relay/transport.py",
        """            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        finally:
            self._quick_ack(delivery_tag)
""",
        """            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        finally:
            pass
""",
        (
            "tests/relay/test_transport.py",
            _REDIS + "test_tasks_that_all_end_while_redis_is_away_leave_a_worker_that_hears",
        ),
    ),
    Safeguard(
        "fence",
        "lifecycle/transitions/fencing.py",
        'SAME_ID, FILES.c.attempt == bindparam("my_attempt"))',
        'SAME_ID, FILES.c.attempt >= bindparam("my_attempt"))',
        (_FAULTS + "test_a_holder_that_stood_still_past_its_lease_changes_nothing[async]",),
    ),
    Safeguard(
        "lease-of-a-claim",
        "lifecycle/transitions/claims.py",
        "or_(FILES.c.upload_status == UploadStatus.PENDING, ABANDONED)",
        "FILES.c.upload_status.in_([UploadStatus.PENDING, UploadStatus.PROCESSING])",
        (_PROCESS + "test_a_task_that_comes_twice_is_done_once",),
    ),
    Safeguard(
        "heartbeat",
        "lifecycle/leases.py",
        "if is_due(now - hold.last_written_at, self._every, self.seconds, changed=changed):",
        "if False:",
        (_FAULTS + "test_an_upload_that_outlasts_its_lease_stays_with_its_holder[async]",),
    ),
    Safeguard(
        "head-after-an-upload",
        "storage/s3/storage.py",
        "            found = self._stat(key, 1 if lost else ATTEMPTS)\n",
        "            found = Stat(key, sent.size, sent.etag)\n",
        (_FAULTS + "test_a_storage_that_says_yes_and_keeps_nothing_is_not_believed",),
    ),
    Safeguard(
        "comparison-with-the-head",
        "storage/s3/storage.py",
        "if wrong := difference(sent, found, of_parts=of_parts, lost=lost):",
        "if wrong := '':",
        (_FAULTS + "test_a_storage_that_keeps_half_of_the_bytes_is_not_believed",),
    ),
    Safeguard(
        "evidence-of-a-part",
        "storage/s3/checksums.py",
        '        _same("MD5", sent.md5, etag)\n',
        "        pass\n",
        (_FAULTS + "test_bytes_that_are_damaged_on_their_way_are_sent_again",),
    ),
    Safeguard(
        "damaged-bytes-again",
        "storage/s3/multipart.py",
        "for _ in range(_SENDS - 1):",
        "for _ in range(0):",
        (_FAULTS + "test_one_damaged_send_does_not_end_an_upload_that_has_no_second_attempt",),
    ),
    Safeguard(
        "wrong-object-goes",
        "lifecycle/attempts.py",
        "if pause is None and isinstance(error, StorageMismatch):",
        "if False:",
        ("tests/lifecycle/test_attempts.py",),
    ),
    Safeguard(
        "received-bytes",
        "server/body.py",
        "if announced is not None and got != announced:",
        "if False:",
        (_FAULTS + "test_a_body_that_was_cut_is_never_stored",),
    ),
    Safeguard(
        "digest-of-kept-bytes",
        "lifecycle/hashing.py",
        "if self._expected not in ((None, None), (self.size, self.sha256)):",
        "if False:",
        (_CLIENT + "test_bytes_that_are_damaged_in_the_spool_are_never_stored[truncated]",),
    ),
    Safeguard(
        "sweep-of-rows",
        "sweep/sweeper.py",
        "            sweep_files(Report(), self._unless_stopped)\n",
        "            pass\n",
        (_FAULTS + "test_a_killed_web_process_loses_no_accepted_file",),
    ),
    Safeguard(
        "sweep-of-uploads-in-parts",
        "sweep/sweeper.py",
        '            ("uploads", uploads_every, sweep_uploads),\n',
        "",
        (_FAULTS + "test_a_killed_web_process_loses_no_accepted_file",),
    ),
    Safeguard(
        "live-uploads-are-spared",
        "sweep/rules.py",
        "row.upload_status not in at_work",
        "True",
        ("tests/sweep/test_sweep_rules.py",),
    ),
    Safeguard(
        "look-for-the-object",
        "lifecycle/attempts.py",
        "found = current_services().storage.matches(row.key, row.size, current_services().spool.open(row.id))",
        "found = False",
        (_FAULTS + "test_a_file_whose_object_is_there_is_not_sent_again",),
    ),
    Safeguard(
        "retry-of-the-finish",
        "lifecycle/attempts.py",
        """retry_while_unavailable(
        lambda: transitions.complete(row, url=url, size=size, sha256=sha256, version_id=version), _DATABASE_SECONDS
    )""",
        "transitions.complete(row, url=url, size=size, sha256=sha256, version_id=version)",
        (_DATABASE + "test_a_database_that_dies_during_an_upload_is_waited_for[normal]",),
    ),
    Safeguard(
        "hand-back-at-sigterm",
        "shutdown.py",
        "    limit.start()\n",
        "",
        (_FAULTS + "test_a_process_that_is_stopped_hands_back_what_it_can_not_finish",),
    ),
    Safeguard(
        "row-before-bytes",
        "modes/normal.py",
        "    file.hold(row, sent.bound)\n    file.store(row, sent.stream, sent.bound)\n",
        "    row.attempt = 1\n    file.store(row, sent.stream, sent.bound)\n    file.hold(row, sent.bound)\n",
        (_FAULTS + "test_the_row_is_there_before_a_byte_leaves",),
    ),
    Safeguard(
        "tie-of-an-idempotency-key",
        "routes.py",
        "idempotency.idempotent(key, row)",
        "idempotency.idempotent(None, row)",
        (_FAULTS + "test_a_request_that_comes_five_times_makes_one_file",),
    ),
    # Behind a whole Ferry nobody notices, since the sweep aborts what is left: the storage's own tests do.
    Safeguard(
        "abort-of-a-failed-upload",
        "storage/s3/storage.py",
        '            self.abort_multipart_upload(MultipartUpload(target["Key"], target["UploadId"]))\n',
        "            pass\n",
        ("tests/storage/test_storage_s3.py",),
    ),
    Safeguard(
        "proof-of-parts-left",
        "storage/s3/resuming.py",
        "    return UploadedPart(left.size, left.etag, left.crc32) if same else None\n",
        "    return UploadedPart(left.size, left.etag, left.crc32)\n",
        ("tests/storage/test_resuming.py",),
    ),
    Safeguard(
        "no-abort-of-an-unanswered-complete",
        "storage/s3/storage.py",
        "            if not isinstance(error, StorageUnavailable):\n                self._give_up(target)\n",
        "            if True:\n                self._give_up(target)\n",
        ("tests/storage/test_storage_s3.py::test_an_upload_whose_complete_has_no_answer_is_not_aborted",),
    ),
    Safeguard(
        "grace-of-an-unanswered-complete",
        "sweep/rules.py",
        "quiet > min(COMPLETE_GRACE, grace)",
        "quiet >= 0",
        ("tests/sweep/test_sweep_rules.py",),
    ),
    Safeguard(
        "progress-on-a-slow-line",
        "storage/s3/connection.py",
        "        if left < queued:\n",
        "        if False:\n",
        ("tests/storage/test_storage_http.py::test_a_slow_line_is_not_a_silent_one",),
    ),
    Safeguard(
        "heads-before-threads",
        "server/worker.py",
        "        if self.cfg.is_ssl:\n            super().enqueue_req(conn)\n",
        "        if True:\n            super().enqueue_req(conn)\n",
        (_SLOW + "test_heads_that_do_not_come_hold_nobody_up",),
    ),
    Safeguard(
        "places-shared-by-address",
        "server/deadlines.py",
        "return clients.index(max(counts, key=counts.__getitem__))",
        "return 0",
        ("tests/bad_input/test_many_clients.py",),
    ),
    Safeguard(
        "places-of-unread-answers",
        "server/outgoing.py",
        "if self._taken[client] >= self._most:",
        "if False:",
        ("tests/bad_input/test_many_clients.py",),
    ),
    Safeguard(
        "pace-of-a-body",
        "server/min_rate.py",
        "if self._silent >= self._stall:",
        "if False:",
        ("tests/server/test_min_rate.py", _SLOW + "test_bodies_that_do_not_come_are_cut"),
    ),
    Safeguard(
        "slot-of-a-json-body",
        "api/json_bodies.py",
        "    with body_slot():\n",
        "    if True:\n",
        ("tests/api/test_json_bodies.py::test_no_byte_of_a_body_is_read_without_a_slot",),
    ),
    Safeguard(
        "end-after-an-unread-body",
        "server/error_responses.py",
        "or has_unread_body(self.req.body)",
        "or False",
        ("tests/bad_input/test_early_answers.py",),
    ),
    Safeguard(
        "deleting-takes-the-file-away",
        "lifecycle/transitions/outcomes.py",
        ".values(deleted_at=NOW, updated_at=NOW, due_at=None, attempt=FILES.c.attempt + 1)",
        ".values(deleted_at=NOW, updated_at=NOW, due_at=None)",
        ("tests/lifecycle/test_deletion.py",),
    ),
    Safeguard(
        "owner-in-the-look-up",
        "lifecycle/queries.py",
        '_BY_ID_AND_OWNER = _BY_ID.where(FILES.c.owner == bindparam("owner"))',
        '_BY_ID_AND_OWNER = _BY_ID.where(bindparam("owner") != "")',
        ("tests/auth/test_guards.py",),
    ),
    Safeguard(
        "quota-counted-with-the-row",
        "lifecycle/transitions/claims.py",
        'storage_quota.adjust(connection, owner, values["reserved"], 1, all_or_nothing=all_or_nothing)',
        'values["reserved"]',
        ("tests/quotas/test_storage_quota.py",),
    ),
    Safeguard(
        "expiry-by-the-databases-clock",
        "lifecycle/transitions/claims.py",
        "row.expires_at - row.created_at",
        'row.expires_at - __import__("time").time()',
        ("tests/lifecycle/test_clocks.py", "tests/database/test_on_postgresql.py"),
    ),
    Safeguard(
        "share-of-the-spool",
        "quotas/spool_budget.py",
        "return left if oldest else min(left, limit // 2 - own)",
        "return left",
        ("tests/test_spool.py", "tests/quotas/test_spool_budget.py"),
    ),
    Safeguard(
        "announced-is-not-taken",
        "quotas/spool_budget.py",
        "            upload.counted = max(came, min(ahead, room))\n",
        "            upload.counted = max(came, min(upload.bound or ahead, room))\n",
        ("tests/test_spool.py", "tests/quotas/test_spool_budget.py"),
    ),
    Safeguard(
        "bound-of-files-in-error",
        "sweep/sweeper.py",
        "            sweep_failed(Report())\n",
        "",
        ("tests/sweep/test_sweep_failed.py",),
    ),
    Safeguard(
        "retried-files-are-spared",
        "lifecycle/transitions/outcomes.py",
        "_DELETE_FAILED = _DELETE.where(FILES.c.upload_status == UploadStatus.ERROR, ",
        "_DELETE_FAILED = _DELETE.where(",
        ("tests/sweep/test_sweep_failed.py",),
    ),
    Safeguard(
        "read-only-is-away",
        "database/postgresql.py",
        "        context.is_disconnect = True\n",
        "        if code == _READ_ONLY:\n            return None\n        context.is_disconnect = True\n",
        ("tests/database/test_postgresql.py",),
    ),
    Safeguard(
        "ready-asks-for-changes",
        "database/postgresql.py",
        "        connection.exec_driver_sql(_SAY_READ_ONLY)\n",
        "        pass\n",
        ("tests/database/test_postgresql_failures.py",),
    ),
    Safeguard(
        "nothing-prepared-behind-a-pooler",
        "database/postgresql.py",
        "connection.is_pooled, connection.prepare_threshold = True, None",
        "connection.is_pooled = True",
        ("tests/database/test_postgresql_failures.py",),
    ),
    Safeguard(
        "token-compared",
        "auth/api_keys.py",
        "return any(found)",
        "return True",
        ("tests/auth/test_api_keys.py",),
    ),
    Safeguard(
        "type-looked-at-before-the-row",
        "routes.py",
        "        check_allowed(sent.detected_type, sent.content_type, settings.allowed_types, settings.denied_types)\n",
        "",
        ("tests/content/test_policy.py",),
    ),
    Safeguard(
        "chunk-in-the-fields-refused",
        "api/upload_request/form.py",
        "        refuse(self._headers, self._texts)\n",
        "",
        ("tests/api/test_chunked_uploads.py",),
    ),
    Safeguard(
        "invalid-form-leaves-no-row",
        "file.py",
        'if row.mode == "normal" and is_invalid_request(error):',
        "if False:",
        ("tests/api/test_forms_as_sent.py",),
    ),
    Safeguard(
        "wish-behind-the-file-refused",
        "sent/fields.py",
        "        if not holds:\n",
        "        if False:\n",
        ("tests/api/test_forms_as_sent.py",),
    ),
    Safeguard(
        "unknown-parameter-refused",
        "api/query_names.py",
        "        if name not in known:\n",
        "        if False:\n",
        ("tests/api/test_query_names.py",),
    ),
    Safeguard(
        "chunk-in-the-head-refused",
        "api/upload_request/request.py",
        "    refuse(request.headers, request.args.items(multi=True))\n",
        "",
        ("tests/api/test_chunked_uploads.py",),
    ),
    Safeguard(
        "no-letter-of-a-name-dropped",
        "content/filename_encoding.py",
        "return raw.decode(codec)",
        'return raw.decode(codec, "ignore")',
        ("tests/content/test_filename_encoding.py",),
    ),
    Safeguard(
        "head-of-a-part-bounded",
        "api/upload_request/parser.py",
        "        if self._head > _MAX_PART_HEAD:\n",
        "        if False:\n",
        ("tests/api/test_upload_request.py",),
    ),
    Safeguard(
        "name-bounded-before-it-is-normalised",
        "content/filenames.py",
        "visible if len(visible) > MAX_CODE_POINTS else unicodedata",
        "unicodedata",
        ("tests/security/test_hostile_input.py",),
    ),
    Safeguard(
        "undone-apart-from-the-others",
        "database/group_commit.py",
        "            with connection.begin_nested():\n",
        "            if connection:\n",
        ("tests/database/test_group_commit.py",),
    ),
    Safeguard(
        "one-end-for-all",
        "database/group_commit.py",
        "                write.error = error\n",
        "                pass\n",
        ("tests/database/test_group_commit.py",),
    ),
    Safeguard(
        "stops-kept-over-forks",
        "gunicorn.conf.py",
        "    keep_stops_over_forks()\n",
        "    pass\n",
        ("tests/server/test_stops.py::test_a_stop_reaches_a_process_that_has_just_been_forked",),
    ),
    Safeguard(
        "id-before-a-path",
        "spool.py",
        "        if not ID.fullmatch(id):\n",
        "        if False:\n",
        ("tests/test_spool.py::test_what_is_no_id_names_no_path",),
    ),
    Safeguard(
        "file-of-a-running-attempt",
        "modes/celery.py",
        "    return row.attempt == attempt and row.spool in (None, here)\n",
        "    return True\n",
        ("tests/relay/test_untrusted_redis.py::test_nothing_else_is_sent",),
    ),
    Safeguard(
        "malformed-demand",
        "relay/channel.py",
        "    except ValueError:\n        return None\n    match demand",
        "    except FileNotFoundError:\n        return None\n    match demand",
        ("tests/relay/test_untrusted_redis.py::test_a_malformed_demand_is_not_one",),
    ),
    Safeguard(
        "thread-that-hears-demands",
        "modes/celery.py",
        "                except Exception:  # Without this thread",
        "                except ZeroDivisionError:  # Without this thread",
        ("tests/relay/test_untrusted_redis.py::test_no_exception_ends_the_thread_that_hears_demands",),
    ),
    Safeguard(
        "certificate-of-redis",
        "database/redis_options.py",
        '    options = {"ssl_cert_reqs": "required"} |',
        '    options = {"ssl_cert_reqs": "none"} |',
        ("tests/database/test_redis_options.py::test_tls_is_verified_unless_it_is_said_otherwise",),
    ),
    Safeguard(
        "one-reading-of-the-broker",
        "tasks.py",
        'super().connection_for_read(self.conf["broker_url"], **options)',
        "super().connection_for_read(url, **options)",
        ("tests/relay/test_redis_tls.py::test_all_connect_or_none",),
    ),
    Safeguard(
        "keys-of-its-own",
        "tasks.py",
        '            "global_keyprefix": redis.key(""),\n',
        "",
        ("tests/relay/test_shared_redis.py",),
    ),
    Safeguard(
        "look-at-a-task",
        "relay/transport.py",
        'if command_name == "BRPOP" and found and not is_task(found[1]):',
        "if False:",
        ("tests/relay/test_task_messages.py::test_a_channel_drops_what_is_malformed_and_goes_on",),
    ),
    Safeguard(
        "look-at-what-is-queued-again",
        "relay/transport.py",
        "if entry and not is_unacknowledged(entry):",
        "if False:",
        ("tests/relay/test_task_messages.py::test_a_channel_drops_what_is_malformed_among_the_unacknowledged",),
    ),
    # Without a power cut nobody notices: a test watches the calls.
    Safeguard(
        "fsync-of-the-spool",
        "spool.py",
        "        os.fsync(file.fileno())\n",
        "",
        ("tests/test_spool.py::test_bytes_reach_the_disk_before_the_name_does_and_the_name_before_the_return",),
    ),
    Safeguard(
        "object-asked-for-before-a-link",
        "api/downloads.py",
        "    look_for(row)\n",
        "",
        ("tests/api/test_object_missing.py",),
    ),
    Safeguard(
        "owner-of-a-replay",
        "lifecycle/idempotency.py",
        "row = queries.get_owned(new.owner, found.file_id)",
        "row = queries.find(found.file_id)",
        ("tests/lifecycle/test_idempotency.py",),
    ),
    Safeguard(
        "tokens-out-of-logs",
        "content/redaction.py",
        "    return without_tokens(text)\n",
        "    return text\n",
        ("tests/test_logs.py::test_a_token_is_left_out_of_every_field",),
    ),
    Safeguard(
        "no-token-as-request-id",
        "server/request_ids.py",
        " and without_secrets(sent) == sent",
        "",
        ("tests/api/test_request_ids.py",),
    ),
    Safeguard(
        "sign-of-a-lost-hold",
        "file.py",
        "            hold.check()\n            attempts.complete(",
        "            attempts.complete(",
        ("tests/lifecycle/test_leases.py", "tests/test_file.py"),
    ),
)
"""In the order of a file's life, more or less."""
