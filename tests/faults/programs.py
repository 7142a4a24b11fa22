"""Start the parts of a cluster, and wait until they serve."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import requests

from dev import parts
from dev.process import Process

_FACTORY = "tests.faults.failpoints"


def s3(data: Path, port: int) -> Process:
    process = parts.s3(data, port)
    process.wait_for(port, 60)
    return process


def moto(data: Path, port: int) -> Process:
    argv = [str(parts.BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    process = Process("s3", argv, log=data / "log" / "s3.log")
    process.wait_for(port, 60)
    requests.put(f"http://127.0.0.1:{port}/{parts.BUCKET}", timeout=30).raise_for_status()
    return process


def redis(data: Path, port: int) -> Process:
    process = parts.redis(data, port)
    process.wait_for(port, 60)
    return process


def web(env: Mapping[str, str], log: Path) -> Process:
    """gunicorn, as dev.parts starts it, but with failpoints."""
    os.chdir(parts.ROOT)
    process = Process(
        "web", [str(parts.BIN / "gunicorn"), "-c", "gunicorn.conf.py", f"{_FACTORY}:create_app()"], env, log
    )
    process.wait_for(int(env["PORT"]), 60)
    return process


def worker(name: str, env: Mapping[str, str], log: Path) -> Process:
    """A Celery worker, as dev.parts starts it, but with failpoints."""
    os.chdir(parts.ROOT)
    argv = [str(parts.BIN / "celery"), "-q", "-A", f"{_FACTORY}.celery", "worker"]
    argv += ["--concurrency", "2", "--hostname", f"{name}@ferry"]
    argv += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    begin = size(log)
    process = Process(name, argv, {**env, "REMAP_SIGTERM": "SIGQUIT"}, log)
    wait_for_words(process, log, begin, b" ready.")
    return process


def size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def wait_for_words(process: Process, log: Path, begin: int, words: bytes, seconds: float = 60) -> None:
    """Return when a process has logged these words after offset `begin`. Raises StartError."""
    process.wait_until(lambda: words in log.read_bytes()[begin:], seconds)
