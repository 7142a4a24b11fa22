"""aiobotocore alone: parts of 8 MiB of a local file, 4 at a time, with the client's own defaults.

    /tmp/…/venv/bin/python benchmarks/peers/aiobotocore_client.py FILE [--repeat 3]

aiobotocore pins botocore to another release than Ferry's. So the benchmark makes a venv of its own for this program:
`python3 -m venv DIR && DIR/bin/pip install --require-hashes -r benchmarks/requirements-aiobotocore.txt`.
Environment and output are those of direct.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import time
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

PART = 8 << 20
AT_ONCE = 4


async def upload(s3: Any, path: str) -> None:
    """Send the file at `path` once, under its own name."""
    target = {"Bucket": os.environ["S3_BUCKET_NAME"], "Key": f"aiobotocore-{os.path.basename(path)}"}
    created = await s3.create_multipart_upload(**target)
    target["UploadId"] = created["UploadId"]
    numbers = iter(range(1, -(-os.path.getsize(path) // PART) + 1))
    file = os.open(path, os.O_RDONLY)
    try:
        sent = await asyncio.gather(*(send(s3, target, file, numbers) for _ in range(AT_ONCE)))
    finally:
        os.close(file)
    parts = sorted((part for some in sent for part in some), key=lambda part: int(part["PartNumber"]))
    await s3.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})


async def send(s3: Any, target: dict[str, str], file: int, numbers: Any) -> list[dict[str, Any]]:
    """Send part after part, taking the numbers from an iterator that all senders share."""
    parts = []
    for number in numbers:
        body = os.pread(file, PART, (number - 1) * PART)
        answer = await s3.upload_part(**target, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]})
    return parts


def cpu() -> float:
    """Seconds of CPU, user and system, that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def run(path: str, repeat: int) -> tuple[list[float], list[float]]:
    """Upload `repeat` times. Returns the seconds and the CPU seconds of each."""
    walls, cpus = [], []
    config = AioConfig(s3={"addressing_style": "path"})
    region = os.environ.get("AWS_REGION", "us-east-1")
    address = os.environ["S3_ENDPOINT_URL"]
    async with get_session().create_client("s3", endpoint_url=address, region_name=region, config=config) as s3:
        for _ in range(repeat):
            cpu_before, before = cpu(), time.perf_counter()
            await upload(s3, path)
            walls.append(round(time.perf_counter() - before, 4))
            cpus.append(round(cpu() - cpu_before, 4))
    return walls, cpus


def main() -> None:
    """Read the command line, upload, print."""
    parser = argparse.ArgumentParser(description="Upload a file with aiobotocore and time it.")
    parser.add_argument("file")
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    walls, cpus = asyncio.run(run(options.file, options.repeat))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    size = os.path.getsize(options.file)
    print(json.dumps({"seconds": walls, "cpu_seconds": cpus, "peak_rss_bytes": peak, "bytes": size}))


if __name__ == "__main__":
    main()
