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
        "worker_probe.py",
        "    worker_ready.connect(start, weak=False)\n",
        "",
        (_DEAF + "test_a_deaf_worker_ends_and_the_next_stores_its_files[deaf]",),
    ),
    Safeguard(
        "one-task-a-waiting-file",
        "window.py",
        "if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return false end",
        "",
        ("tests/test_queued_tasks.py",),
    ),
    Safeguard(
        "recall-of-lost-tasks",
        "modes/celery.py",
        "window.of().may_have_lost_tasks() and (found := moves.recall(2 * lease.keeper().seconds))",
        "(found := 0)",
        ("tests/test_queued_tasks.py",),
    ),
    Safeguard(
        "prefetch-slot-freed-on-a-failed-ack",
        "broker.py",
        """            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        finally:
            self._quick_ack(delivery_tag)
""",
        """            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        finally:
            pass
""",
        ("tests/test_broker.py", _REDIS + "test_tasks_that_all_end_while_redis_is_away_leave_a_worker_that_hears"),
    ),
    Safeguard(
        "fence",
        "moves/fence.py",
        'MINE, FILES.c.attempt == bindparam("my_attempt"))',
        'MINE, FILES.c.attempt >= bindparam("my_attempt"))',
        (_FAULTS + "test_a_holder_that_stood_still_past_its_lease_changes_nothing[async]",),
    ),
    Safeguard(
        "lease-of-a-claim",
        "moves/holder.py",
        "or_(FILES.c.upload_status == UploadStatus.PENDING, ABANDONED)",
        "FILES.c.upload_status.in_([UploadStatus.PENDING, UploadStatus.PROCESSING])",
        (_PROCESS + "test_a_task_that_comes_twice_is_done_once",),
    ),
    Safeguard(
        "heartbeat",
        "lease.py",
        "if is_due(now - hold.told_at, self._every, self.seconds, news=news):",
        "if False:",
        (_FAULTS + "test_an_upload_that_outlasts_its_lease_stays_with_its_holder[async]",),
    ),
    Safeguard(
        "head-after-an-upload",
        "storage/s3.py",
        "            found = self._stat(key, 1 if lost else ATTEMPTS)\n",
        "            found = Stat(key, sent.size, sent.etag)\n",
        (_FAULTS + "test_a_storage_that_says_yes_and_keeps_nothing_is_not_believed",),
    ),
    Safeguard(
        "comparison-with-the-head",
        "storage/s3.py",
        "if wrong := difference(sent, found, of_parts=of_parts, lost=lost):",
        "if wrong := '':",
        (_FAULTS + "test_a_storage_that_keeps_half_of_the_bytes_is_not_believed",),
    ),
    Safeguard(
        "evidence-of-a-part",
        "storage/evidence.py",
        '        _same("MD5", sent.md5, etag)\n',
        "        pass\n",
        (_FAULTS + "test_bytes_that_are_damaged_on_their_way_are_sent_again",),
    ),
    Safeguard(
        "damaged-bytes-again",
        "storage/sending.py",
        "for _ in range(_SENDS - 1):",
        "for _ in range(0):",
        (_FAULTS + "test_one_damaged_send_does_not_end_an_upload_that_has_no_second_attempt",),
    ),
    Safeguard(
        "wrong-object-goes",
        "attempts.py",
        "if pause is None and isinstance(error, StorageMismatch):",
        "if False:",
        ("tests/test_attempts.py",),
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
        "measured.py",
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
        ("tests/sweeping/test_sweep_rules.py",),
    ),
    Safeguard(
        "look-for-the-object",
        "attempts.py",
        "found = storage.of().proven(row.key, row.size, spool.of().open(row.id))",
        "found = False",
        (_FAULTS + "test_a_file_whose_object_is_there_is_not_sent_again",),
    ),
    Safeguard(
        "retry-of-the-finish",
        "attempts.py",
        "insist(lambda: moves.complete(row, url=url, size=size, sha256=sha256, version_id=version), _DATABASE_SECONDS)",
        "moves.complete(row, url=url, size=size, sha256=sha256, version_id=version)",
        (_DATABASE + "test_a_database_that_dies_during_an_upload_is_waited_for[normal]",),
    ),
    Safeguard(
        "hand-back-at-sigterm",
        "modes/ending.py",
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
        "idempotency.once(key, row)",
        "idempotency.once(None, row)",
        (_FAULTS + "test_a_request_that_comes_five_times_makes_one_file",),
    ),
    # Behind a whole Ferry nobody notices, since the sweep aborts what is left: the storage's own tests do.
    Safeguard(
        "abort-of-a-failed-upload",
        "storage/s3.py",
        '            self.abort(Begun(target["Key"], target["UploadId"]))\n',
        "            pass\n",
        ("tests/test_storage_s3.py",),
    ),
    Safeguard(
        "proof-of-parts-left",
        "storage/resuming.py",
        "    return Landed(left.size, left.etag, left.crc32) if same else None\n",
        "    return Landed(left.size, left.etag, left.crc32)\n",
        ("tests/test_resuming.py",),
    ),
    Safeguard(
        "no-abort-of-an-unanswered-complete",
        "storage/s3.py",
        "            if not isinstance(error, StorageUnavailable):\n                self._give_up(target)\n",
        "            if True:\n                self._give_up(target)\n",
        ("tests/test_storage_s3.py::test_an_upload_whose_complete_has_no_answer_is_not_aborted",),
    ),
    Safeguard(
        "grace-of-an-unanswered-complete",
        "sweep/rules.py",
        "quiet > min(COMPLETE_GRACE, grace)",
        "quiet >= 0",
        ("tests/sweeping/test_sweep_rules.py",),
    ),
    Safeguard(
        "progress-on-a-slow-line",
        "storage/connection.py",
        "        if left < queued:\n",
        "        if False:\n",
        ("tests/test_storage_http.py::test_a_slow_line_is_not_a_silent_one",),
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
        "server/waiting.py",
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
        "server/pace.py",
        "if self._silent >= self._stall:",
        "if False:",
        ("tests/test_pace.py", _SLOW + "test_bodies_that_do_not_come_are_cut"),
    ),
    Safeguard(
        "slot-of-a-json-body",
        "doors/bodies.py",
        "    with listening():\n",
        "    if True:\n",
        ("tests/test_bodies.py::test_no_byte_of_a_body_is_read_without_a_slot",),
    ),
    Safeguard(
        "end-after-an-unread-body",
        "server/answer.py",
        "or is_owed(self.req.body)",
        "or False",
        ("tests/bad_input/test_early_answers.py",),
    ),
    Safeguard(
        "deleting-takes-the-file-away",
        "moves/others.py",
        ".values(deleted_at=NOW, updated_at=NOW, due_at=None, attempt=FILES.c.attempt + 1)",
        ".values(deleted_at=NOW, updated_at=NOW, due_at=None)",
        ("tests/test_delete.py",),
    ),
    Safeguard(
        "owner-in-the-look-up",
        "lookups.py",
        '_BY_ID_OF = _BY_ID.where(FILES.c.owner == bindparam("owner"))',
        '_BY_ID_OF = _BY_ID.where(bindparam("owner") != "")',
        ("tests/test_callers.py",),
    ),
    Safeguard(
        "quota-counted-with-the-row",
        "moves/holder.py",
        'owners.add(connection, owner, values["reserved"], 1, whole=whole)',
        'values["reserved"]',
        ("tests/test_owners.py",),
    ),
    Safeguard(
        "expiry-by-the-databases-clock",
        "moves/holder.py",
        "row.expires_at - row.created_at",
        'row.expires_at - __import__("time").time()',
        ("tests/test_clocks.py", "tests/test_on_postgresql.py"),
    ),
    Safeguard(
        "share-of-the-spool",
        "budget.py",
        "return left if oldest else min(left, limit // 2 - own)",
        "return left",
        ("tests/test_spool.py", "tests/test_budget.py"),
    ),
    Safeguard(
        "announced-is-not-taken",
        "budget.py",
        "            upload.counted = max(came, min(ahead, room))\n",
        "            upload.counted = max(came, min(upload.bound or ahead, room))\n",
        ("tests/test_spool.py", "tests/test_budget.py"),
    ),
    Safeguard(
        "bound-of-files-in-error",
        "sweep/sweeper.py",
        "            sweep_failed(Report())\n",
        "",
        ("tests/sweeping/test_sweep_failed.py",),
    ),
    Safeguard(
        "retried-files-are-spared",
        "moves/others.py",
        "_DELETE_FAILED = _DELETE.where(FILES.c.upload_status == UploadStatus.ERROR, ",
        "_DELETE_FAILED = _DELETE.where(",
        ("tests/sweeping/test_sweep_failed.py",),
    ),
    Safeguard(
        "read-only-is-away",
        "postgresql.py",
        "        context.is_disconnect = True\n",
        "        if code == _READ_ONLY:\n            return None\n        context.is_disconnect = True\n",
        ("tests/test_postgresql.py",),
    ),
    Safeguard(
        "ready-asks-for-changes",
        "postgresql.py",
        "        connection.exec_driver_sql(_SAY_READ_ONLY)\n",
        "        pass\n",
        ("tests/test_postgresql_failures.py",),
    ),
    Safeguard(
        "nothing-prepared-behind-a-pooler",
        "postgresql.py",
        "connection.is_pooled, connection.prepare_threshold = True, None",
        "connection.is_pooled = True",
        ("tests/test_postgresql_failures.py",),
    ),
    Safeguard(
        "token-compared",
        "keys.py",
        "return any(found)",
        "return True",
        ("tests/test_keys.py",),
    ),
    Safeguard(
        "type-looked-at-before-the-row",
        "routes.py",
        "        admit(sent.detected_type, sent.content_type, settings.allowed_types, settings.denied_types)\n",
        "",
        ("tests/test_content.py",),
    ),
    Safeguard(
        "chunk-in-the-fields-refused",
        "sent/form.py",
        "        refuse(self._headers, self._texts)\n",
        "",
        ("tests/test_chunked_uploads.py",),
    ),
    Safeguard(
        "invalid-form-leaves-no-row",
        "file.py",
        'if row.mode == "normal" and is_invalid_request(error):',
        "if False:",
        ("tests/test_forms_as_they_come.py",),
    ),
    Safeguard(
        "wish-behind-the-file-refused",
        "sent/fields.py",
        "        if not holds:\n",
        "        if False:\n",
        ("tests/test_forms_as_they_come.py",),
    ),
    Safeguard(
        "unknown-parameter-refused",
        "doors/query_names.py",
        "        if name not in known:\n",
        "        if False:\n",
        ("tests/test_query_names.py",),
    ),
    Safeguard(
        "chunk-in-the-head-refused",
        "sent/upload.py",
        "    refuse(request.headers, request.args.items(multi=True))\n",
        "",
        ("tests/test_chunked_uploads.py",),
    ),
    Safeguard(
        "no-letter-of-a-name-dropped",
        "filename_encoding.py",
        "return raw.decode(codec)",
        'return raw.decode(codec, "ignore")',
        ("tests/test_filename_encoding.py",),
    ),
    Safeguard(
        "head-of-a-part-bounded",
        "sent/parser.py",
        "        if self._head > _MAX_PART_HEAD:\n",
        "        if False:\n",
        ("tests/test_sent.py",),
    ),
    Safeguard(
        "name-bounded-before-it-is-normalised",
        "names.py",
        "visible if len(visible) > MAX_CODE_POINTS else unicodedata",
        "unicodedata",
        ("tests/test_hostile_input.py",),
    ),
    Safeguard(
        "undone-apart-from-the-others",
        "commits.py",
        "            with connection.begin_nested():\n",
        "            if connection:\n",
        ("tests/test_commits.py",),
    ),
    Safeguard(
        "one-end-for-all",
        "commits.py",
        "                write.error = error\n",
        "                pass\n",
        ("tests/test_commits.py",),
    ),
    Safeguard(
        "stops-kept-over-forks",
        "gunicorn.conf.py",
        "    keep_stops_over_forks()\n",
        "    pass\n",
        ("tests/test_stops.py::test_a_stop_reaches_a_process_that_has_just_been_forked",),
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
        ("tests/test_untrusted_redis.py::test_nothing_else_is_sent",),
    ),
    Safeguard(
        "malformed-demand",
        "window.py",
        "    except ValueError:\n        return None\n    match demand",
        "    except FileNotFoundError:\n        return None\n    match demand",
        ("tests/test_untrusted_redis.py::test_a_malformed_demand_is_not_one",),
    ),
    Safeguard(
        "thread-that-hears-demands",
        "modes/celery.py",
        "                except Exception:  # Without this thread",
        "                except ZeroDivisionError:  # Without this thread",
        ("tests/test_untrusted_redis.py::test_no_exception_ends_the_thread_that_hears_demands",),
    ),
    Safeguard(
        "certificate-of-redis",
        "redis_options.py",
        '    options = {"ssl_cert_reqs": "required"} |',
        '    options = {"ssl_cert_reqs": "none"} |',
        ("tests/test_redis_options.py::test_tls_is_verified_unless_it_is_said_otherwise",),
    ),
    Safeguard(
        "one-reading-of-the-broker",
        "tasks.py",
        'super().connection_for_read(self.conf["broker_url"], **options)',
        "super().connection_for_read(url, **options)",
        ("tests/test_redis_tls.py::test_all_connect_or_none",),
    ),
    Safeguard(
        "keys-of-its-own",
        "tasks.py",
        '            "global_keyprefix": redis.key(""),\n',
        "",
        ("tests/test_shared_redis.py",),
    ),
    Safeguard(
        "look-at-a-task",
        "broker.py",
        'if command_name == "BRPOP" and found and not is_task(found[1]):',
        "if False:",
        ("tests/test_task_messages.py::test_a_channel_drops_what_is_malformed_and_goes_on",),
    ),
    Safeguard(
        "look-at-what-is-queued-again",
        "broker.py",
        "if entry and not is_unacknowledged(entry):",
        "if False:",
        ("tests/test_task_messages.py::test_a_channel_drops_what_is_malformed_among_the_unacknowledged",),
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
        "doors/downloads.py",
        "    look_for(row)\n",
        "",
        ("tests/test_object_missing.py",),
    ),
    Safeguard(
        "owner-of-a-replay",
        "idempotency.py",
        "row = lookups.find_of(new.owner, found.file_id)",
        "row = lookups.find(found.file_id)",
        ("tests/test_idempotency.py",),
    ),
    Safeguard(
        "tokens-out-of-logs",
        "redaction.py",
        "    return without_tokens(text)\n",
        "    return text\n",
        ("tests/test_logs.py::test_a_token_is_left_out_of_every_field",),
    ),
    Safeguard(
        "no-token-as-request-id",
        "server/ids.py",
        " and without_secrets(sent) == sent",
        "",
        ("tests/test_request_ids.py",),
    ),
    Safeguard(
        "sign-of-a-lost-hold",
        "file.py",
        "            hold.check()\n            attempts.complete(",
        "            attempts.complete(",
        ("tests/test_lease.py", "tests/test_file.py"),
    ),
)
"""In the order of a file's life, more or less."""
