"""boto3 alone: upload_fileobj of a local file, with nothing in between. What every service is held against.

    python benchmarks/peers/direct.py default|tuned FILE [--repeat 3]

`default` is boto3 as it comes. `tuned` is boto3 made to do what a streaming service does: unsigned payload, CRC32 with
every part, parts of 8 MiB, and SHA-256 of the whole file, computed while it is read.
S3 and its address come from S3_ENDPOINT_URL, S3_BUCKET_NAME, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION.
Prints one line of JSON: `seconds` (one per repeat; imports and the client's making excluded), `cpu_seconds` (likewise),
`peak_rss_bytes` (of the process, until the end), `bytes`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import time
from io import FileIO
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

PART = 8 << 20


class Digested(FileIO):
    """A file whose SHA-256 grows while it is read, front to back."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.digest = hashlib.sha256()

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes, all that are left if it is -1. They count as read: there is no way back."""
        block = super().read(-1 if size is None else size) or b""
        self.digest.update(block)
        return block


def client(how: str) -> Any:
    """An S3 client for the endpoint in the environment: boto3's own settings, or those of a tuned service."""
    tuned = Config(
        signature_version="s3v4",
        max_pool_connections=50,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path", "payload_signing_enabled": False},
    )
    plain = Config(s3={"addressing_style": "path"})
    region = os.environ.get("AWS_REGION", "us-east-1")
    address = os.environ["S3_ENDPOINT_URL"]
    return boto3.client("s3", endpoint_url=address, region_name=region, config=tuned if how == "tuned" else plain)


def upload(s3: Any, how: str, path: str) -> None:
    """Send the file at `path` once, under its own name."""
    target = (os.environ["S3_BUCKET_NAME"], f"direct-{how}-{os.path.basename(path)}")
    if how == "default":
        with open(path, "rb") as file:
            s3.upload_fileobj(file, *target)
        return
    settings = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    with Digested(path) as file:
        s3.upload_fileobj(file, *target, ExtraArgs={"ChecksumAlgorithm": "CRC32"}, Config=settings)
        file.digest.hexdigest()


def cpu() -> float:
    """Seconds of CPU, user and system, that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Read the command line, upload, print."""
    parser = argparse.ArgumentParser(description="Upload a file with boto3 and time it.")
    parser.add_argument("how", choices=("default", "tuned"))
    parser.add_argument("file")
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    s3, walls, cpus = client(options.how), [], []
    for _ in range(options.repeat):
        cpu_before, before = cpu(), time.perf_counter()
        upload(s3, options.how, options.file)
        walls.append(round(time.perf_counter() - before, 4))
        cpus.append(round(cpu() - cpu_before, 4))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    size = os.path.getsize(options.file)
    print(json.dumps({"seconds": walls, "cpu_seconds": cpus, "peak_rss_bytes": peak, "bytes": size}))


if __name__ == "__main__":
    main()
