"""Child processes that end with their parent, also if it is killed, and a wait until they listen."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from dev.polling import eventually

_PR_SET_PDEATHSIG = 1


class StartError(RuntimeError):
    """A process ended during its start, or did not listen in time."""


class Process:
    """A child in its own session, so that Ctrl-C reaches only the parent, which stops the children in order."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start `argv` with `env` added to the environment. Its output goes to the file `log`, else to the parent's."""
        self.name, self.log = name, log
        self._log_start = log.stat().st_size if log and log.exists() else 0
        output: IO[bytes] | None = log.open("ab") if log else None
        self._popen = subprocess.Popen(
            list(argv),
            env={**os.environ, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        if output:
            output.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(5)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def ended(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._popen.poll()

    def wait_for(self, port: int, seconds: float = 60, host: str = "127.0.0.1") -> None:
        """Return once the port accepts connections. Raises StartError if the process ends, or after `seconds`."""
        self.wait_until(lambda: is_served(port, host), seconds)

    def wait_until(self, ready: Callable[[], object], seconds: float = 60) -> None:
        """Return once `ready()` is true. Raises StartError if the process ends before, or after `seconds`."""
        done = eventually(lambda: self.ended is not None or ready(), seconds=seconds, every=0.02)
        if self.ended is not None:
            raise StartError(f"{self.name} ended with code {self.ended}.{self.log_tail()}")
        if not done:
            raise StartError(f"{self.name} did not serve within {seconds:.0f} s.{self.log_tail()}")

    def wait_for_log(self, words: bytes, seconds: float = 60) -> None:
        """Return once the process has logged these words. Raises StartError if it ends before, or after `seconds`."""
        assert self.log
        log = self.log
        self.wait_until(lambda: words in log.read_bytes()[self._log_start :], seconds)

    def stop(self, seconds: float = 30) -> int:
        """Send SIGTERM, and SIGKILL to the session after `seconds`. Return the exit code."""
        self.signal(signal.SIGTERM)
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """Send SIGKILL to the process and all its children. Return the exit code."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self._popen.wait()

    def signal(self, number: int) -> None:
        if self.ended is None:
            self._popen.send_signal(number)

    def log_tail(self) -> str:
        """The last lines of the log, for a message; empty without a log file."""
        if self.log is None:
            return ""
        return " Its log ends with:\n" + "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])


def _end_with_parent() -> None:
    """Send the child SIGTERM when its parent dies. Linux only; elsewhere children of a killed parent stay.

    The parent is the thread that started the child: start processes from a thread that lives as long as they do.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


_ports_lock = threading.Lock()
_reserved_ports: set[int] = set()


def free_port(in_a_row: int = 1) -> int:
    """Return the first of `in_a_row` free ports of the loopback address. A port is returned only once.

    They are below Linux's ephemeral ports: an outgoing connection could take the port of a part that is down.
    """
    with _ports_lock:
        while True:
            ports = range(first := random.randint(15000, 32000), first + in_a_row)
            if _reserved_ports.isdisjoint(ports) and all(is_free(port) for port in ports):
                _reserved_ports.update(ports)
                return first


def is_served(port: int, host: str = "127.0.0.1") -> bool:
    """Whether the port accepts connections now."""
    with suppress(OSError), socket.create_connection((host, port), timeout=5):
        return True
    return False


def is_free(port: int) -> bool:
    """Whether a server can listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
        return True
