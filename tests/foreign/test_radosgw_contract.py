"""The storage contract on Ceph's radosgw, and refusals of invalid requests."""

from __future__ import annotations

import pytest
import requests

from storage.base import Storage, StorageDenied
from storage.s3.storage import S3Storage
from tests.storage.conftest import closed
from tests.storage.tampered_s3 import s3
from tests.storage.test_storage_s3 import S3Contract

__all__ = ["closed"]

pytestmark = pytest.mark.foreign


class TestRadosgw(S3Contract):
    @pytest.fixture
    def storage(self, gateway: int) -> Storage:
        return s3(f"http://127.0.0.1:{gateway}")

    def test_a_presigned_url_serves_only_what_was_signed(self, storage: S3Storage, key: str) -> None:
        storage.put(key, iter([b"linked"]), content_type="text/plain")
        link = storage.presigned_url(key, 60, content_type="application/octet-stream", disposition="attachment")

        for signed, other in (("octet-stream", "html"), ("attachment", "inline"), (key, f"{key}-other")):
            assert requests.get(link.replace(signed, other), timeout=30).status_code == 403

    @pytest.mark.parametrize("wrong", [{"aws_secret_access_key": "guessed"}, {"aws_access_key_id": "UNKNOWN"}])
    def test_wrong_credentials_are_denied(self, gateway: int, key: str, wrong: dict[str, str]) -> None:
        unauthorised = s3(f"http://127.0.0.1:{gateway}", **wrong)

        with pytest.raises(StorageDenied):
            unauthorised.put(key, iter([b"x"]), content_type="text/plain")
