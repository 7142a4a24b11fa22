"""Ferry and all its parts as processes on free ports: gunicorn, a Celery worker, valkey and rclone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import requests

from dev import parts
from dev.polling import eventually
from dev.process import Process, free_port
from storage.s3.storage import S3Storage
from sweep.orphans import OWNER_MARKER
from tests.fakes import FORM, form, part

ENDED = ("COMPLETE", "ERROR")
MODES = {"normal": 201, "async": 202, "celery": 202}
"""The status of a successful upload, by mode."""

SETTINGS = {"LEASE_DURATION": "3", "WEB_THREADS": "8", "MAX_TRANSFERS_PER_CLIENT": "100"}


class Stack:
    """All parts, started by `with`. Each may be stopped and started again. `running`: the running ones, by name."""

    backends: tuple[str, ...] = ("s3", "redis", "files")
    services: tuple[str, ...] = ("worker", "web")

    def __init__(self, data: Path, overrides: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.ports = parts.Ports(free_port(), free_port(), free_port(), free_port())
        self.env = parts.environment(data, self.ports) | SETTINGS | (overrides or {})
        self.url = f"http://127.0.0.1:{self.ports.web}"
        self.running: dict[str, Process] = {}

    def __enter__(self) -> Self:
        try:
            for name in self.backends:
                self.start(name)
            parts.upgrade(self.env)
            for name in self.services:
                self.start(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in (*reversed(self.services), *reversed(self.backends)):
            if name in self.running:
                self.kill(name)

    def start(self, name: str) -> None:
        """Start one part and return when it serves."""
        self.running[name] = self.launch(name)
        if port := getattr(self.ports, name, None):
            self.running[name].wait_for(port)

    def launch(self, name: str) -> Process:
        """Start the process of one part."""
        if name in self.services:
            return getattr(parts, name)(self.env, self.log(name))  # type: ignore[no-any-return]
        return getattr(parts, name)(self.data, getattr(self.ports, name))  # type: ignore[no-any-return]

    def stop(self, name: str) -> int:
        """SIGTERM one part and return its exit code."""
        return self.running.pop(name).stop(20)

    def kill(self, name: str) -> None:
        """SIGKILL one part with its children."""
        self.running.pop(name).kill()

    def log(self, name: str) -> Path:
        return self.data / "log" / f"{name}.log"

    def upload(self, mode: str, body: bytes, name: str = "a.pdf") -> requests.Response:
        data = form(part("file", body, name, "application/pdf"))
        return requests.post(f"{self.url}/{mode}_upload", data=data, headers={"Content-Type": FORM}, timeout=60)

    def status(self, id: str) -> dict[str, Any]:
        return requests.get(f"{self.url}/files/{id}", timeout=10).json()  # type: ignore[no-any-return]

    def ended(self, id: str, seconds: float = 60) -> dict[str, Any]:
        """The file once it has ended, or its last state after `seconds`."""
        return self.until(id, lambda file: file["status"] in ENDED, seconds)

    def until(self, id: str, done: Any, seconds: float = 60) -> dict[str, Any]:
        """The file once `done(file)` is true, or its last state after `seconds`."""
        return eventually(lambda: self.status(id), done, seconds=seconds, every=0.05)

    def objects(self) -> dict[str, Path]:
        """The objects in the bucket by key, without the sweep's marker."""
        found = (self.data / "s3" / parts.BUCKET).iterdir()
        return {path.name: path for path in found if path.name[0] != "." and path.name != OWNER_MARKER}

    def spooled(self) -> list[str]:
        folder = self.data / "spool"
        return [path.name for path in folder.iterdir() if path.name[0] != "."] if folder.exists() else []


def printed(process: Process) -> str:
    assert process.log
    return process.log.read_text()


def storage_of(stack: Stack) -> S3Storage:
    return S3Storage(
        bucket=parts.BUCKET,
        endpoint=stack.env["S3_ENDPOINT_URL"],
        aws_access_key_id=parts.ACCESS_KEY,
        aws_secret_access_key=parts.SECRET_KEY,
    )
