"""All of Ferry as processes that fault tests kill, stop, freeze and restart one by one.

Parts: `s3` (behind `proxy`), `redis`, `database` (only PostgreSQL is a process), `web`, `worker`, `worker2`. Ferry
has short leases and failpoints. All processes end with the `with` block, by pid, or with the thread that started them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self

import boto3
from botocore.config import Config

from dev import parts
from dev.process import Process, free_port
from tests.faults.client import Client
from tests.faults.proxy import Proxy
from tests.harness import postgres, sessions
from tests.harness.stack import Stack

_FACTORY = "tests.faults.failpoints"
SETTINGS = {
    "SWEEP_INTERVAL": "1",
    "ORPHAN_GRACE": "5",
    "FAILED_RETENTION": "3",
    "RETRY_DELAY": "1",
    "SHUTDOWN_TIMEOUT": "6",
    "WEB_WORKERS": "2",
    "MAX_ATTEMPTS": "8",
}


class Cluster(Stack):
    """A stack with a fault proxy. `client` records the uploads."""

    def __init__(
        self,
        data: Path,
        *,
        database: Literal["sqlite", "postgres"] = "sqlite",
        s3: Callable[[Path, int], Process] = parts.s3,
        workers: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(data)
        self._s3, self.database_port = s3, free_port()
        self.postgres = postgres.Postgres() if database == "postgres" else None
        self.proxy = Proxy(self.ports.s3)
        self.order = data / "fail"
        """The file that activates a failpoint, see `fail`."""
        self.deaf = data / "deaf"
        """The file that makes workers deaf, see failpoints."""
        self.env |= SETTINGS | {"S3_ENDPOINT_URL": self.proxy.url}
        self.env |= {"FERRY_FAIL": f"@{self.order}", "FERRY_DEAF": str(self.deaf)}
        if self.postgres:
            self.env["SQLALCHEMY_DATABASE_URI"] = postgres.url(self.database_port)
        self.env |= settings or {}
        self.workers = ["worker", "worker2"][:workers]
        self.backends = ("s3", "redis", *(["database"] if self.postgres else []))
        self.services = (*self.workers, "web")
        self.client = Client(self.url)

    def __enter__(self) -> Self:
        (self.data / "log").mkdir(parents=True, exist_ok=True)
        self.proxy.start()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        """Kill all parts, the services first."""
        self.proxy.__exit__()
        super().__exit__()
        if self.postgres:
            self.postgres.remove()

    def start(self, name: str) -> None:
        """Start a part and wait until it serves."""
        super().start(name)
        if name in self.workers:
            self.running[name].wait_for_log(b" ready.")

    def stop(self, name: str, seconds: float = 30, *, group: bool = False) -> int:
        """SIGTERM to a part, or to all its processes; SIGKILL after `seconds`. Returns the exit code."""
        process = self.running.pop(name)
        # PostgreSQL would wait for its clients to disconnect.
        number = signal.SIGINT if name == "database" else signal.SIGTERM
        for pid in sessions.members(process.pid) if group else [process.pid]:
            _tell(pid, number)
        return sessions.end(process, seconds)

    def kill(self, name: str) -> None:
        """SIGKILL to all of a part's processes."""
        sessions.end(self.running.pop(name))

    def kill_leader(self, name: str) -> None:
        """SIGKILL to gunicorn's master or the worker's parent alone; its children may live on for a moment."""
        _tell(self.running[name].pid, signal.SIGKILL)

    def kill_child(self, name: str, index: int = 0) -> int:
        """SIGKILL to one child of a part, which may be replaced. Returns its pid."""
        pid = self.children(name)[index]
        _tell(pid, signal.SIGKILL)
        return pid

    def restart(self, name: str) -> None:
        """SIGKILL to a part, if it still runs, and start it again."""
        if name in self.running:
            self.kill(name)
        self.start(name)

    def freeze(self, name: str) -> None:
        """SIGSTOP to all of a part's processes: they run on, without responding."""
        sessions.tell(self.running[name].pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT to all of a part's processes."""
        sessions.tell(self.running[name].pid, signal.SIGCONT)

    def children(self, name: str) -> list[int]:
        """The children of a part's leader: web workers, or the worker's pool."""
        return sessions.children(self.running[name].pid)

    def fail(self, point: str, action: str) -> None:
        """Let the next process that passes this failpoint execute the action, once."""
        unfinished = self.order.with_suffix(".new")
        unfinished.write_text(f"{point}:{action}")
        unfinished.rename(self.order)

    def triggered(self) -> bool:
        """Whether the active failpoint has been passed."""
        return not self.order.exists()

    def s3(self) -> Any:
        """A boto3 client of the S3 server, past the proxy. The caller closes it."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.ports.s3}",
            aws_access_key_id=parts.ACCESS_KEY,
            aws_secret_access_key=parts.SECRET_KEY,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, response_checksum_validation="when_required"),
        )

    def spooled(self) -> list[str]:
        """The names in the spool, including unfinished files. Names with a leading dot are internal."""
        return sorted(path.name for path in (self.data / "spool").glob("[!.]*"))

    def launch(self, name: str) -> Process:
        """Start the process of one part; Ferry's have failpoints."""
        if name == "web":
            return parts.web(self.env, self.log(name), app=f"{_FACTORY}:create_app()")
        if name in self.workers:
            options = ("--concurrency", "2", "--hostname", f"{name}@ferry")
            return parts.worker(self.env, self.log(name), app=f"{_FACTORY}.celery", name=name, options=options)
        if name == "database":
            assert self.postgres
            return self.postgres.start(self.database_port, self.log(name))
        if name == "s3":
            return self._s3(self.data, self.ports.s3)
        return super().launch(name)


def _tell(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
