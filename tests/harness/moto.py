"""moto: an S3 server that keeps everything in memory."""

from __future__ import annotations

from pathlib import Path

import requests

from dev import parts
from dev.process import Process


def moto(data: Path, port: int) -> Process:
    """Start a server with an empty bucket, and return once it serves."""
    process = Process("s3", [parts.BIN / "moto_server", "-H", "127.0.0.1", "-p", str(port)], log=data / "moto.log")
    process.wait_for(port)
    requests.put(f"http://127.0.0.1:{port}/{parts.BUCKET}", timeout=30).raise_for_status()
    return process
