"""The settings of the S3 backend."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

import config_types as types
from config_types import setting
from storage.s3.options import S3Options

_setting = partial(setting, "Storage")


def _key_prefix(value: str) -> str:
    """Parse the prefix of all keys in the bucket."""
    if re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*/)+", value) and len(value) <= 512:
        return value
    raise ValueError("must end with a slash and be of letters, digits, '.', '_', '-' (512 at most), such as uploads/")


def _bucket(value: str) -> str:
    """Parse the name of a bucket."""
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value):
        return value
    raise ValueError("must be 3 to 63 lower-case letters, digits, '.' and '-', as S3 has it")


def _region(value: str) -> str:
    """Parse the name of a region."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", value):
        return value
    raise ValueError("must be the name of a region, such as eu-central-1")


def _kms_key(value: str) -> str:
    """Parse the id, alias or ARN of a KMS key."""
    if re.fullmatch(r"[A-Za-z0-9:/_.-]{1,512}", value):
        return value
    raise ValueError("must be the id, the alias or the ARN of a KMS key")


@dataclass(frozen=True, kw_only=True)
class S3Settings:
    """Where the objects are, and how requests are formed. Credentials are boto3's own."""

    s3_bucket_name: str = _setting("ferry", _bucket, "Bucket for the objects.")
    s3_endpoint_url: str = _setting("", types.http_url, "URL of an S3-compatible server. Empty: AWS.")
    s3_bucket_base_url: str = _setting(
        "", types.http_url, "Public URL of the bucket or its CDN, in front of a file's key. Empty: the endpoint's."
    )
    aws_default_region: str = _setting("", _region, "Region. Empty: AWS_REGION, ~/.aws or us-east-1.")
    aws_region: str = _setting("", _region, "Region if AWS_DEFAULT_REGION is empty.")
    s3_prefix: str = _setting("", _key_prefix, "Prefix of every key, such as uploads/")
    s3_part_threads: int = _setting("4", types.integer(1, 64), "Concurrent parts of each process, 8 MiB each.")
    s3_addressing: str = _setting(
        "auto",
        types.one_of("auto", "path", "virtual"),
        "Bucket in URLs. auto: path with S3_ENDPOINT_URL or dotted name.",
    )
    s3_checksum: str = _setting(
        "crc32", types.one_of("crc32", "md5", "none"), "Checksum of each part; the next one if the storage rejects it."
    )
    s3_sign_payload: bool = _setting("0", types.boolean, "Sign payloads too, at the cost of a SHA-256.")
    s3_sse: str = _setting(
        "", types.one_of("AES256", "aws:kms", "aws:kms:dsse"), "Server-side encryption. Empty: the bucket's default."
    )
    s3_sse_kms_key_id: str = _setting("", _kms_key, "KMS key. S3_SSE defaults to aws:kms if this is set.")

    def __post_init__(self) -> None:
        if self.s3_sse_kms_key_id and self.s3_sse == "AES256":
            raise ValueError("S3_SSE_KMS_KEY_ID: requires S3_SSE=aws:kms or aws:kms:dsse")

    @property
    def options(self) -> S3Options:
        """How requests are formed."""
        return S3Options(
            addressing=self.s3_addressing,
            region=self.aws_default_region or self.aws_region,
            ignored_region=self.aws_region if self.aws_default_region else "",
            checksum=self.s3_checksum,
            encryption=self.s3_sse or ("aws:kms" if self.s3_sse_kms_key_id else ""),
            kms_key=self.s3_sse_kms_key_id,
        )
