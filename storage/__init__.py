"""Objects: where the bytes end up. `of()` gives the app's storage; the rest of Ferry sees only its interface."""

from __future__ import annotations

from flask import Flask, current_app

from config import Config
from storage.base import Check, Stat, Storage, Stream
from storage.dialect import Dialect
from storage.memory import MemoryStorage
from storage.s3 import S3Storage

__all__ = ["Check", "Stat", "Storage", "Stream", "init_app", "of"]


def init_app(app: Flask, config: Config) -> None:
    """Build the storage that the settings name. Connects to nothing yet."""
    if config.storage == "memory":
        app.extensions["storage"] = MemoryStorage(config.s3_bucket_base_url)
    else:
        app.extensions["storage"] = S3Storage(
            bucket=config.s3_bucket_name,
            prefix=config.s3_prefix,
            endpoint=config.s3_endpoint_url,
            parts_at_once=config.s3_part_threads,
            sign_payload=config.s3_sign_payload == "yes",
            base_url=config.s3_bucket_base_url,
            dialect=Dialect(
                addressing=config.s3_addressing,
                region=config.aws_default_region or config.aws_region,
                checksum=config.s3_checksum,
                encryption=config.encryption,
                kms_key=config.s3_sse_kms_key_id,
            ),
        )


def of() -> Storage:
    """The storage of the current app. Needs an app context."""
    storage: Storage = current_app.extensions["storage"]
    return storage
