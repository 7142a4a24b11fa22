"""A PostgreSQL primary, its standby, and a proxy to either."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import psycopg

from dev.process import Process, free_port
from tests.harness import postgres, sessions
from tests.harness.postgres import Postgres
from tests.harness.tcp_server import TcpServer, splice


class Server(Postgres):
    """One of the two servers, on its own port."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.port, self._log = free_port(), log
        self._process: Process | None = None

    def run(self) -> None:
        self._process = self.start(self.port, self._log)

    def shut_down(self) -> None:
        """Stop in order, as an operator does: all changes reach the standby."""
        if self._process:
            self._process.signal(2)  # SIGINT: without waiting for clients.
            sessions.end(self._process, 20)
            self._process = None

    def copy(self, other: Server) -> None:
        """Become a standby of a running primary, with a copy of its data."""
        shutil.rmtree(self._folder / "db")
        program = str(postgres.bin_folder() / "pg_basebackup")
        argv = [*postgres.unprivileged(), program, "-D", str(self._folder / "db"), "-R", "-X", "stream", "-c", "fast"]
        argv += ["-h", "127.0.0.1", "-p", str(other.port), "-U", "ferry"]
        subprocess.run(argv, check=True, capture_output=True, timeout=60, cwd="/")

    def follow(self, other: Server) -> None:
        """Start again as a follower of another, which was promoted in its place."""
        folder = self._folder / "db"
        with (folder / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = 'host=127.0.0.1 port={other.port} user=ferry'\n")
        (folder / "standby.signal").touch()
        postgres.chown_to_unprivileged(folder / "standby.signal")
        self.run()

    def promote(self) -> None:
        with psycopg.connect(f"host=127.0.0.1 port={self.port} user=ferry dbname=postgres", autocommit=True) as server:
            server.execute("SELECT pg_promote(true, 30)")

    def end(self) -> None:
        if self._process:
            self._process.kill()
            self._process = None
        self.remove()


class Pair:
    """A primary and its standby."""

    def __init__(self, folder: Path) -> None:
        self.primary, self.standby = Server(folder / "a.log"), Server(folder / "b.log")

    def __enter__(self) -> Pair:
        self.primary.run()
        self.standby.copy(self.primary)
        self.standby.run()
        return self

    def fail_over(self) -> None:
        """Promote the standby. The old primary returns as a standby, and refuses writes."""
        old, new = self.primary, self.standby
        old.shut_down()
        new.promote()
        old.follow(new)
        self.primary, self.standby = new, old

    def __exit__(self, *_: object) -> None:
        self.primary.end()
        self.standby.end()


class Switch(TcpServer):
    """A TCP proxy, like a load balancer or a floating address. New connections go to `target`; open ones stay."""

    def __init__(self, target: int) -> None:
        self.target = target
        super().__init__(self._forward)

    def _forward(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self.target), timeout=5) as server:
            server.settimeout(None)
            splice(client, server)
