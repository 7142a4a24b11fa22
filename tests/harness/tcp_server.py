"""Servers on the loopback address that obey no protocol: peers that misbehave, and proxies."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self


class TcpServer:
    """Calls `serve(connection)` on a thread for each connection and closes it afterwards; an OSError just ends it."""

    def __init__(
        self,
        serve: Callable[[socket.socket], object],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        receive_buffer: int = 0,
    ) -> None:
        """`port` 0: any free one. `receive_buffer`: bytes, as small as on a real network; 0: the system's default."""
        self._serve, self._tls = serve, tls
        self.connections = 0
        """Connections accepted so far."""
        self._listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind((host, port))
        self._listener.listen(128)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Refuse new connections. Open ones stay."""
        # Closing alone would not wake the thread that accepts.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with suppress(OSError), self._wrapped(connection) as peer:
            self._serve(peer)

    def _wrapped(self, connection: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(connection, server_side=True) if self._tls else connection


def read_head(connection: socket.socket, block_size: int = 65536) -> tuple[bytes, bytes]:
    """The head of a message without its empty line, and the bytes read beyond, fewer than `block_size`.

    Both are empty if the peer closes before.
    """
    got = b""
    while b"\r\n\r\n" not in got:
        block = connection.recv(block_size)
        if not block:
            return b"", b""
        got += block
    head, _, rest = got.partition(b"\r\n\r\n")
    return head, rest


def splice(one: socket.socket, other: socket.socket) -> None:
    """Copy bytes both ways until one side closes."""
    while True:
        # TLS may hold decrypted bytes that select does not see.
        pending = [each for each in (one, other) if isinstance(each, ssl.SSLSocket) and each.pending()]
        for ready in pending or select.select([one, other], [], [])[0]:
            block = ready.recv(65536)
            if not block:
                return
            (other if ready is one else one).sendall(block)
