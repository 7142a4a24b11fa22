"""The storage contract on moto and rclone, and the promises that hold on every S3 server."""

from __future__ import annotations

import email
import subprocess

import pytest
import requests

from dev import parts
from storage.base import Storage, StorageDenied, StorageNoBucket
from storage.contract import StorageContract
from storage.parts import MIN_PART
from storage.s3.storage import S3Storage
from storage.upload_contract import Broken, breaking
from tests.storage.tampered_s3 import s3


class S3Contract(StorageContract):
    """The contract, and further promises of every S3 server."""

    def headers_of(self, storage: S3Storage, key: str) -> tuple[str | None, str | None]:  # type: ignore[override]
        headers = storage._objects.request("HEAD", key).headers
        return headers.get("content-type"), headers.get("content-disposition")

    def test_a_failed_upload_leaves_no_parts(self, storage: S3Storage, key: str) -> None:
        with pytest.raises(Broken):
            storage.put(
                key, breaking(bytes(4 * MIN_PART), Broken()), max_bytes=10 * MIN_PART, content_type="text/plain"
            )

        assert "Uploads" not in storage._boto.list_multipart_uploads(Bucket=parts.BUCKET)

    def test_an_unfinished_upload_is_listed_and_can_be_aborted(self, storage: S3Storage, key: str) -> None:
        first, _ = (storage._multipart.create(f"{key}-{number}", {}) for number in range(2))
        storage._boto.upload_part(Bucket=parts.BUCKET, Key=first.key, UploadId=first.id, PartNumber=1, Body=b"x")

        left = list(storage.multipart_uploads(key))
        assert [begun.key for begun in left] == [f"{key}-0", f"{key}-1"]
        assert list(storage.multipart_uploads("another prefix")) == []
        for begun in (*left, left[0]):
            storage.abort_multipart_upload(begun)
        assert list(storage.multipart_uploads(key)) == []
        assert list(storage.multipart_uploads()) == []

    def test_a_listing_continues_over_pages(
        self, storage: S3Storage, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(5):
            storage.put(f"{key}-{number}", iter([b"x"]), content_type="text/plain")
        listing = storage._boto.list_objects_v2
        monkeypatch.setattr(storage._boto, "list_objects_v2", lambda **more: listing(**more | {"MaxKeys": 2}))

        assert [found.key[-1] for found in storage.list_objects(f"{key}-")] == list("01234")

    @pytest.mark.parametrize("size", [0, 6, MIN_PART + 1], ids=["empty", "whole", "in parts"])
    def test_a_presigned_url_serves_the_object_with_its_headers(self, storage: S3Storage, key: str, size: int) -> None:
        disposition = "attachment; filename=\"my_a.png\"; filename*=UTF-8''my%20%C3%A4.png"
        storage.put(key, iter([bytes(size)]), content_type="text/html", disposition="inline")
        link = storage.presigned_url(key, 60, content_type="application/octet-stream", disposition=disposition)

        ran = subprocess.run(["curl", "-sSfi", link], capture_output=True, timeout=10, check=True)
        head, _, body = ran.stdout.partition(b"\r\n\r\n")
        headers = email.message_from_bytes(head.partition(b"\r\n")[2])
        assert body == bytes(size)
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"] == disposition

    def test_a_missing_bucket_has_its_own_error(self, storage: S3Storage, key: str) -> None:
        lost = s3(storage.endpoint, bucket="missing-bucket")

        with pytest.raises(StorageNoBucket):
            lost.put(key, iter([b"x"]), content_type="text/plain")
        checks = {check.subject: check for check in lost.diagnose()}
        assert checks["storage"].ok
        for subject in ("bucket missing-bucket", "write to missing-bucket"):
            assert not checks[subject].ok
            assert "Bucket not found" in checks[subject].detail

    def test_the_diagnosis_describes_the_endpoint(self, storage: S3Storage) -> None:
        endpoint = next(check for check in storage.diagnose() if check.subject == "endpoint")

        assert endpoint.ok
        assert "region us-east-1, path addressing at http://127.0.0.1:" in endpoint.detail


class TestMoto(S3Contract):
    @pytest.fixture
    def storage(self, moto: str) -> Storage:
        return s3(moto)


class TestRclone(S3Contract):
    @pytest.fixture
    def storage(self, rclone: str) -> Storage:
        return s3(rclone)

    def test_a_presigned_url_serves_only_what_was_signed(self, storage: S3Storage, key: str) -> None:
        """Another content type, disposition or key is refused."""
        storage.put(key, iter([b"linked"]), content_type="text/plain")
        link = storage.presigned_url(key, 60, content_type="application/octet-stream", disposition="attachment")

        for signed, other in (("octet-stream", "html"), ("attachment", "inline"), (key, f"{key}-other")):
            assert requests.get(link.replace(signed, other), timeout=10).status_code == 403

    def test_a_wrong_secret_is_denied(self, rclone: str, key: str) -> None:
        unauthorised = s3(rclone, aws_secret_access_key="guessed-secret-key")

        with pytest.raises(StorageDenied):
            unauthorised.put(key, iter([b"x"]), content_type="text/plain")
