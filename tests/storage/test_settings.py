"""The settings of the S3 backend."""

from __future__ import annotations

import pytest

from config import Config, ConfigError
from storage import Check, registry
from storage.s3.options import S3Options

NOWHERE = "http://127.0.0.1:1"


def storage_options(env: dict[str, str]) -> S3Options:
    options: S3Options = Config.from_env(env).storage_settings.options
    return options


@pytest.mark.parametrize(
    ("env", "encryption"),
    [
        ({}, ""),
        ({"S3_SSE": "AES256"}, "AES256"),
        ({"S3_SSE_KMS_KEY_ID": "alias/ferry"}, "aws:kms"),
        ({"S3_SSE": "aws:kms:dsse", "S3_SSE_KMS_KEY_ID": "arn:aws:kms:eu-west-1:1:key/a-b"}, "aws:kms:dsse"),
    ],
)
def test_a_kms_key_implies_kms_encryption(env: dict[str, str], encryption: str) -> None:
    assert storage_options(env).encryption == encryption


def test_an_unused_kms_key_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="S3_SSE_KMS_KEY_ID"):
        Config.from_env({"S3_SSE": "AES256", "S3_SSE_KMS_KEY_ID": "alias/ferry"})


@pytest.mark.parametrize(("other", "reported"), [("eu-central-1", True), ("eu-west-1", False), ("", False)])
def test_the_region_in_use_is_reported_if_two_are_set(other: str, reported: bool) -> None:
    config = Config.from_env({"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": other, "S3_ENDPOINT_URL": NOWHERE})
    storage = registry.create(config.storage, config.storage_settings)
    text = "AWS_DEFAULT_REGION=eu-west-1 counts, AWS_REGION=eu-central-1 does not"

    assert (next(storage.diagnose()) == Check("region", True, text)) is reported


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("S3_PREFIX", "uploads/"), ("S3_PREFIX", "a/b.c/"), ("S3_BUCKET_NAME", "my.bucket-1"),
        ("AWS_REGION", "eu-central-1"), ("S3_SSE_KMS_KEY_ID", "alias/ferry"),
    ],
)  # fmt: skip
def test_an_accepted_name_is_taken_as_it_is(name: str, text: str) -> None:
    assert getattr(Config.from_env({name: text}).storage_settings, name.lower()) == text


@pytest.mark.parametrize(
    ("name", "text", "accepted"),
    [
        *(("S3_PREFIX", text, "must end with a slash") for text in ("uploads", "../up/", "a//", "a" * 512 + "/")),
        *(("S3_BUCKET_NAME", text, "3 to 63 lower-case letters") for text in ("ab", "My Bucket", "a" * 64, "-abc")),
        ("AWS_REGION", "../x", "the name of a region"),
        ("S3_SSE_KMS_KEY_ID", "no sense", "the id, the alias or the ARN"),
    ],
)
def test_another_name_is_refused(name: str, text: str, accepted: str) -> None:
    with pytest.raises(ConfigError, match=accepted):
        Config.from_env({name: text})
