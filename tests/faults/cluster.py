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
from typing import Any, Literal

import boto3
from botocore.config import Config

from dev import parts
from dev.process import Process, free_port
from tests.faults import postgres, programs, sessions
from tests.faults.client import Client
from tests.faults.proxy import Proxy

SETTINGS = {
    "LEASE_DURATION": "3",
    "SWEEP_INTERVAL": "1",
    "ORPHAN_GRACE": "5",
    "FAILED_RETENTION": "3",
    "RETRY_DELAY": "1",
    "SHUTDOWN_TIMEOUT": "6",
    "WEB_WORKERS": "2",
    "WEB_THREADS": "8",
    "MAX_TRANSFERS_PER_CLIENT": "100",
    "MAX_ATTEMPTS": "8",
}


class Cluster:
    """`running`: the running parts by name. `client` records the uploads."""

    def __init__(
        self,
        data: Path,
        *,
        database: Literal["sqlite", "postgres"] = "sqlite",
        s3: Callable[[Path, int], Process] = programs.s3,
        workers: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data, self._s3 = data, s3
        self.ports = parts.Ports(free_port(), free_port(), free_port(), free_port())
        self.database_port = free_port()
        self.postgres = postgres.Postgres() if database == "postgres" else None
        self.proxy = Proxy(self.ports.s3)
        self.order = data / "fail"
        """The file that activates a failpoint, see `fail`."""
        self.env = {**parts.environment(data, self.ports), **SETTINGS}
        self.deaf = data / "deaf"
        """The file that makes workers deaf, see failpoints."""
        self.env |= {"S3_ENDPOINT_URL": self.proxy.url, "FERRY_FAIL": f"@{self.order}", "FERRY_DEAF": str(self.deaf)}
        if self.postgres:
            self.env["SQLALCHEMY_DATABASE_URI"] = postgres.url(self.database_port)
        self.env |= settings or {}
        self.workers = ["worker", "worker2"][:workers]
        self.running: dict[str, Process] = {}
        self.client = Client(f"http://127.0.0.1:{self.ports.web}")

    def __enter__(self) -> Cluster:
        (self.data / "log").mkdir(parents=True, exist_ok=True)
        try:
            self.proxy.start()
            for name in ("s3", "redis", *(["database"] if self.postgres else [])):
                self.start(name)
            parts.upgrade(self.env)
            for name in (*self.workers, "web"):
                self.start(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Kill all parts, the services first."""
        self.proxy.__exit__()
        for name in ("web", "worker", "worker2", "redis", "database", "s3"):
            if name in self.running:
                self.kill(name)
        if self.postgres:
            self.postgres.remove()

    def start(self, name: str) -> None:
        """Start a part and wait until it serves."""
        self.running[name] = self._started(name)

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

    def log(self, name: str) -> Path:
        return self.data / "log" / f"{name}.log"

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

    def _started(self, name: str) -> Process:
        if name == "web":
            return programs.web(self.env, self.log(name))
        if name in self.workers:
            return programs.worker(name, self.env, self.log(name))
        if name == "database":
            assert self.postgres
            return self.postgres.start(self.database_port, self.log(name))
        if name == "redis":
            return programs.redis(self.data, self.ports.redis)
        return self._s3(self.data, self.ports.s3)


def _tell(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
