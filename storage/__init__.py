"""Object storage. The other packages use only the interface of `storage.base`."""

from __future__ import annotations

from config import Config
from storage.base import Check, Stat, Storage, Stream
from storage.memory import MemoryStorage
from storage.s3.options import S3Options
from storage.s3.storage import S3Storage

__all__ = ["Check", "Stat", "Storage", "Stream", "from_config"]


def from_config(config: Config) -> Storage:
    """Create the configured storage. Does not connect yet."""
    if config.storage == "memory":
        return MemoryStorage(config.s3_bucket_base_url)
    return S3Storage(
        bucket=config.s3_bucket_name,
        prefix=config.s3_prefix,
        endpoint=config.s3_endpoint_url,
        part_threads=config.s3_part_threads,
        sign_payload=config.s3_sign_payload,
        base_url=config.s3_bucket_base_url,
        options=S3Options(
            addressing=config.s3_addressing,
            region=config.aws_default_region or config.aws_region,
            checksum=config.s3_checksum,
            encryption=config.encryption,
            kms_key=config.s3_sse_kms_key_id,
        ),
    )
