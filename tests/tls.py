"""TLS in front of a server without it, and the certificates for it."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as PEM files."""

    cert: Path
    key: Path


def certificate(folder: Path, name: str, *options: str, issuer: Certificate | None = None) -> Certificate:
    """Make a certificate of `name` for one day, self-signed without `issuer`. `options`: more of `openssl req`."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}"]
    argv += ["-keyout", str(made.key), "-out", str(made.cert), *options]
    if issuer:
        argv += ["-CA", str(issuer.cert), "-CAkey", str(issuer.key)]
    subprocess.run(argv, check=True, capture_output=True)
    return made


@contextmanager
def tls_in_front_of(port: int, own: Certificate, clients: Path | None = None) -> Iterator[int]:
    """Serve 127.0.0.1:`port` over TLS. Yields the TLS port. `clients`: the CA of the certificates that clients need."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.cert, own.key)
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    listening, stop = threading.Event(), threading.Event()
    ports: list[int] = []

    async def serve() -> None:
        server = await asyncio.start_server(forward_connection, "127.0.0.1", 0, ssl=context, ssl_handshake_timeout=1)
        ports.append(server.sockets[0].getsockname()[1])
        listening.set()
        async with server:
            while not stop.is_set():
                await asyncio.sleep(0.05)

    async def forward_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(_forward(reader, upstream[1]), _forward(upstream[0], writer))
        finally:
            for each in (writer, upstream[1]):
                each.transport.abort()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    listening.wait(5)
    try:
        yield ports[0]
    finally:
        stop.set()
        thread.join(5)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward bytes until either side ends."""
    with suppress(OSError, ssl.SSLError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
