"""PgBouncer, a connection pooler: in transaction mode it assigns each transaction to any of a few sessions."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from dev.process import Process
from tests.foreign.packages import require
from tests.harness.postgres import chown_to_unprivileged, unprivileged

_CONF = """
[databases]
postgres = host=127.0.0.1 port={server} user=ferry

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 4
{more}
"""


class PgBouncer:
    """One pooler on `port` in front of the PostgreSQL on port `server`. Other settings have their defaults."""

    def __init__(self, port: int, server: int) -> None:
        self.port, self._server = port, server
        self._program = require("pgbouncer")
        self._folder = Path(tempfile.mkdtemp(prefix="ferry-pgbouncer-"))
        (self._folder / "users").write_text('"ferry" ""\n')
        for path in (self._folder, self._folder / "users"):
            chown_to_unprivileged(path)
        self._process: Process | None = None

    def start(self, more: str = "") -> None:
        """Start it with further lines of settings. Kills a running one, which closes its clients' connections."""
        self.kill()
        conf = self._folder / "pgbouncer.ini"
        conf.write_text(_CONF.format(server=self._server, port=self.port, folder=self._folder, more=more))
        chown_to_unprivileged(conf)
        # It refuses to run as root.
        argv = [*unprivileged(), self._program, str(conf)]
        self._process = Process("pgbouncer", argv, log=self._folder.with_suffix(".log"))
        self._process.wait_for(self.port)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.with_suffix(".log").unlink(missing_ok=True)
