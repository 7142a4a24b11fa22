"""Child processes that end with their parent, however it ends, and that are waited for until they serve."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


class StartError(RuntimeError):
    """A process ended, or did not serve in time, while it was being started."""


class Process:
    """One child in a session of its own, so that a Ctrl-C reaches only us and we choose the order of the end."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None, log: Path | None = None):
        """Start `argv` with `env` over our own environment. Its output goes to the file `log`, or to ours."""
        self.name, self.log = name, log
        output: IO[bytes] | None = log.open("ab") if log else None
        self._popen = subprocess.Popen(
            list(argv),
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        if output:
            output.close()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def ended(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._popen.poll()

    def wait_for(self, port: int, seconds: float = 20, host: str = "127.0.0.1") -> None:
        """Return once something listens on the port. Raises StartError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.ended is not None:
                raise StartError(f"{self.name} ended with code {self.ended}.{self.last_words()}")
            with suppress(OSError), socket.create_connection((host, port)):
                return
            time.sleep(0.02)
        raise StartError(f"{self.name} did not serve within {seconds:.0f} s.{self.last_words()}")

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM, and SIGKILL to its whole session after `seconds`. Returns the exit code."""
        self.signal(signal.SIGTERM)
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """SIGKILL to the process and all its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self._popen.wait()

    def signal(self, number: int) -> None:
        if self.ended is None:
            self._popen.send_signal(number)

    def last_words(self) -> str:
        """The end of its log, for a message; empty where it writes to the parent's output."""
        if self.log is None:
            return ""
        return " It said:\n" + "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])


def _end_with_parent() -> None:
    """A parent that is killed outright takes its children along. Linux only; elsewhere they would stay.

    The kernel means the thread that started the child: start processes from one that lives as long as they shall.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


_choosing = threading.Lock()
_given: set[int] = set()


def free_port(in_a_row: int = 1) -> int:
    """A port of the loopback address that nobody listens on, nor on those after it; it is given only once.

    Below those that Linux gives to outgoing connections: one of them could sit on the port of a part that is down.
    """
    with _choosing:
        while True:
            ports = range(first := random.randint(15000, 32000), first + in_a_row)
            if _given.isdisjoint(ports) and all(is_free(port) for port in ports):
                _given.update(ports)
                return first


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
        return True
