"""Downloads in progress, and their slots, of all processes of Ferry."""

from __future__ import annotations

import os
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from api.streaming import SEND_TIMEOUT
from tests.harness.sessions import children
from tests.harness.stack import Stack

MIB = 1 << 20
LARGE = os.urandom(MIB) * 48
"""More than the buffers of all sockets between storage and client hold."""


def stored(stack: Stack, body: bytes, name: str = "a.bin") -> str:
    file = stack.upload("normal", body, name).json()
    assert file["status"] == "COMPLETE"
    return file["id"]  # type: ignore[no-any-return]


def start_download(stack: Stack, path: str) -> Any:
    """The connection and the response, of which only the head is read."""
    connection = HTTPConnection("127.0.0.1", stack.ports.web, timeout=SEND_TIMEOUT + 30)
    connection.request("GET", path)
    return connection, connection.getresponse()


def open_slots(stack: Stack) -> list[str]:
    """The open slot files of the web processes: one per running download."""
    fds = [fd for pid in children(stack.running["web"].pid) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    return [name for fd in fds if (name := link_of(fd)).endswith("/slots")]


def link_of(fd: Path) -> str:
    try:
        return os.readlink(fd)
    except FileNotFoundError:
        return ""
