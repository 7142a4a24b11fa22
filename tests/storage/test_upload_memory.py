"""A failed upload frees the memory of its parts."""

from __future__ import annotations

from typing import Any

import pytest

from storage.base import StorageDenied, StorageUnavailable
from storage.upload_contract import Broken, breaking
from tests.storage.tampered_s3 import TamperedS3, never_sent, s3


def test_a_failing_part_aborts_the_upload_and_frees_all_memory(moto: str) -> None:
    tampered = TamperedS3(moto, PART=never_sent)

    with pytest.raises(StorageUnavailable):
        tampered.put_parts(30)
    assert tampered.boto.calls[-1] == "abort_multipart_upload"
    assert tampered.sent.count("PART") < 10
    assert tampered.storage.buffers.free == tampered.storage.buffers.made


def test_five_hundred_failed_uploads_free_all_memory(moto: str) -> None:
    storage = s3(moto)
    for number in range(500):
        with pytest.raises(Broken):
            storage.put("broken", breaking(bytes(number * 100), Broken()), content_type="text/plain")

    assert storage.buffers.free == storage.buffers.made <= 1


@pytest.mark.parametrize("fails_at", ["create", "part"])
def test_a_failed_upload_does_not_free_parts_that_are_retained(moto: str, fails_at: str) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise StorageDenied

    tampered = TamperedS3(moto, PART=fail) if fails_at == "part" else TamperedS3(moto)
    tampered.retained = []
    if fails_at == "create":
        tampered.boto._methods["create_multipart_upload"] = fail
    with pytest.raises(StorageDenied):
        tampered.put_parts()

    buffers = tampered.storage.buffers
    assert buffers.made - buffers.free == len(tampered.retained) > 0
    for part in tampered.retained:
        part.release()
    assert buffers.free == buffers.made
