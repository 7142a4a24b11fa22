"""A storage that is slow, busy, gone, or whose answers get lost."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from storage.s3.connection import SILENCE_SECONDS
from tests.faults.checker import wait
from tests.faults.client import MODES
from tests.faults.looking import bodies_sent, ends_as, is_now, later, objects, row
from tests.faults.world import World

pytestmark = pytest.mark.faults

SMALL, LARGE = 100_000, 9 << 20
WHOLE, PARTS = ("put_object", SMALL), ("upload_part", LARGE)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("operation", "size"), [WHOLE, PARTS])
def test_a_storage_that_is_busy_for_a_moment_costs_no_attempt(
    world: World, mode: str, operation: str, size: int
) -> None:
    """F8."""
    busy = world.proxy.inject(operation, "status", times=3)
    upload = world.client.upload(mode, os.urandom(size))

    assert ends_as(world, upload, "COMPLETE").attempt == 1
    assert busy.struck == 3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["reset", "lost_reply"])
@pytest.mark.parametrize(("operation", "size"), [WHOLE, PARTS])
def test_a_connection_that_is_lost_once_costs_no_attempt(
    world: World, mode: str, kind: Any, operation: str, size: int
) -> None:
    """F9, F12: also where the storage has done its work, and only the answer is lost."""
    world.proxy.inject(operation, kind, after=5000)
    upload = world.client.upload(mode, os.urandom(size))

    assert ends_as(world, upload, "COMPLETE").attempt == 1
    assert len(objects(world, upload.id or "")) == 1


@pytest.mark.parametrize("mode", MODES)
def test_an_end_of_parts_whose_answer_is_lost_is_looked_up(world: World, mode: str) -> None:
    """F12: asked again, the storage knows no such upload any more."""
    before = bodies_sent(world)
    world.proxy.inject("complete_multipart", "lost_reply")
    upload = world.client.upload(mode, os.urandom(LARGE))

    assert ends_as(world, upload, "COMPLETE").attempt == 1
    assert bodies_sent(world) == before + 2


def test_an_end_of_parts_that_is_silent_for_longer_than_a_part_may_be_is_waited_for(world: World) -> None:
    """The storage may be putting the object together for minutes: nothing is sent again, and nothing aborted."""
    sent, aborted = bodies_sent(world), world.proxy.seen("abort_multipart")
    slow = world.proxy.inject("complete_multipart", "stall", times=2)
    sending = [later(world.client.upload, mode, os.urandom(LARGE)) for mode in ("normal", "async")]
    wait(lambda: slow.struck == 2)
    time.sleep(1.2 * SILENCE_SECONDS)
    slow.released.set()

    for upload in sending:
        assert ends_as(world, upload.result(20), "COMPLETE").attempt == 1
    assert (bodies_sent(world), world.proxy.seen("abort_multipart")) == (sent + 4, aborted)


def test_an_end_of_parts_that_fails_with_status_200_is_asked_for_again(world: World) -> None:
    """F27."""
    fault = world.proxy.inject("complete_multipart", "err200", code="InternalError")

    assert ends_as(world, world.client.upload("async", os.urandom(LARGE)), "COMPLETE").attempt == 1
    assert fault.struck == 1


@pytest.mark.parametrize("mode", ["async", "celery"])
@pytest.mark.parametrize(("operation", "size"), [WHOLE, PARTS])
def test_a_storage_that_fails_for_long_delays_a_file(world: World, mode: str, operation: str, size: int) -> None:
    """F8, F9, F10: even the abort of what was begun fails; the sweep makes up for it."""
    world.proxy.inject("abort_multipart", "status", times=None)
    world.proxy.inject(operation, "status", times=None)
    upload = world.client.upload(mode, os.urandom(size))
    wait(lambda: row(world, upload.id).error == "storage-unavailable")
    world.proxy.heal()

    assert ends_as(world, upload, "COMPLETE").attempt >= 2


@pytest.mark.parametrize("kind", ["status", "reset"])
def test_a_client_that_waits_is_told_that_the_storage_fails(world: World, kind: Any) -> None:
    """F8, F9 in normal mode: 503 with Retry-After, and nothing stays behind."""
    world.proxy.inject("upload_part", kind, times=None)
    upload = world.client.upload("normal", os.urandom(LARGE))

    assert (upload.status, upload.slug) == (503, "storage-unavailable")


def test_a_storage_that_never_answers_does_not_hold_a_file_for_ever(world: World) -> None:
    """F11: after half a minute the same attempt asks again."""
    fault = world.proxy.inject("put_object", "hang")
    upload = world.client.upload("async", os.urandom(SMALL))

    assert ends_as(world, upload, "COMPLETE", 50).attempt == 1
    assert fault.struck == 1


@pytest.mark.parametrize("mode", ["async", "celery"])
def test_a_storage_that_is_down_delays_a_file(world: World, mode: str) -> None:
    world.kill("s3")
    upload = world.client.upload(mode, os.urandom(SMALL))
    wait(lambda: row(world, upload.id).error is not None)
    assert is_now(world, upload, "PENDING") or is_now(world, upload, "PROCESSING")
    world.start("s3")

    ends_as(world, upload, "COMPLETE")


@pytest.mark.parametrize("mode", MODES)
def test_a_storage_that_refuses_is_told_at_once(world: World, mode: str) -> None:
    """A lack of rights does not pass: no second attempt."""
    world.proxy.inject("put_object", "status", status=403, code="AccessDenied")
    upload = world.client.upload(mode, os.urandom(SMALL))

    if mode == "normal":
        assert upload.slug == "storage-denied"
    else:
        found = ends_as(world, upload, "ERROR")
        assert (found.error, found.attempt) == ("storage-denied", 1)


def test_a_storage_that_is_cut_off_in_the_middle_of_many_files_loses_none(world: World) -> None:
    """F9: every open connection is reset while eight uploads are on their way."""
    slow = world.proxy.inject("upload_part", "stall", times=8)
    sending = [later(world.client.upload, "async", os.urandom(LARGE)) for _ in range(8)]
    wait(lambda: slow.struck >= 4)
    world.proxy.cut()
    slow.released.set()

    for upload in sending:
        ends_as(world, upload.result(20), "COMPLETE", 30)
