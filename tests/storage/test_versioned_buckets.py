"""Buckets with versioning."""

from __future__ import annotations

import pytest

from dev import parts
from storage.base import StorageMismatch
from storage.s3.storage import S3Storage
from tests.storage.tampered_s3 import WRONG, TamperedS3


def test_a_version_is_reported_and_can_be_deleted(moto: str) -> None:
    s3 = S3Storage(
        bucket="versioned", endpoint=moto,
        aws_access_key_id=parts.ACCESS_KEY, aws_secret_access_key=parts.SECRET_KEY,
    )  # fmt: skip
    s3._boto.create_bucket(Bucket="versioned")
    s3._boto.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    first, second = (s3.put("a", iter([body]), content_type="text/plain") for body in (b"1", b"22"))

    assert None not in (first.version, second.version)
    assert first.version != second.version
    assert s3.matches("a", 2, iter([b"22"])) == second
    before = s3._boto.list_object_versions(Bucket="versioned")
    assert all(check.ok for check in s3.diagnose())
    after = s3._boto.list_object_versions(Bucket="versioned")
    assert (after["Versions"], after.get("DeleteMarkers")) == (before["Versions"], None)
    s3.delete("a", second.version)
    assert (s3.stat("a").version, s3.stat("a").size) == (first.version, 1)
    s3.close()


def test_a_wrong_version_is_deleted(moto: str) -> None:
    tampered = TamperedS3(moto, bucket="wrong-versions", PUT=WRONG["md5"])
    tampered.boto.create_bucket(Bucket="wrong-versions")
    tampered.boto.put_bucket_versioning(Bucket="wrong-versions", VersioningConfiguration={"Status": "Enabled"})
    with pytest.raises(StorageMismatch):
        tampered.put_whole()

    listed = tampered.boto.list_object_versions(Bucket="wrong-versions")
    assert "Versions" not in listed
    assert "DeleteMarkers" not in listed
