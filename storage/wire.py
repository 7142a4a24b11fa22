"""HTTP to the storage for the bytes themselves: kept-alive connections, bodies sent from where they lie, retries.

boto3 spends some ten times the CPU on a call and copies what it sends; for a small file that is most of the work.
Requests come in signed. A body is memory that can be sent again, so that every request may be repeated.
"""

from __future__ import annotations

import random
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from storage.base import StorageUnavailable

ATTEMPTS = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_PATIENCE = 45
"""Seconds after which nothing is tried again: somebody waits for most of what is sent here."""

_CONNECT_SECONDS, _ANSWER_SECONDS = 5, 30
_WORTH_REPEATING = (429, 500, 502, 503, 504)

Body = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the headers with names in lower case, the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """Connections to one address. May be used from any thread; each request has a connection for itself."""

    def __init__(self, scheme: str, netloc: str, ca_bundle: str | None = None) -> None:
        self._netloc = netloc
        self._tls = ssl.create_default_context(cafile=ca_bundle) if scheme == "https" else None
        self._idle: deque[HTTPConnection] = deque()

    def request(
        self,
        method: str,
        target: str,
        signed: Callable[[], Mapping[str, str]],
        body: Body = b"",
        attempts: int = ATTEMPTS,
    ) -> Answer:
        """Send and return what the storage answers, whatever its status, after repeating what may pass.

        `signed` gives the headers, anew for every attempt: a signature ages. Raises StorageUnavailable when the last
        attempt got no answer; whether the storage did what it was asked is not known then.
        """
        began = time.monotonic()
        for attempt in range(1, attempts + 1):
            last = attempt == attempts or time.monotonic() - began > _PATIENCE
            try:
                answer = self._once(self._connected(), method, target, signed(), body)
                if answer.status not in _WORTH_REPEATING or last:
                    return answer
            except (OSError, HTTPException) as error:
                if last:
                    raise StorageUnavailable from error
            time.sleep(random.uniform(0.5, 1) * min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE))  # noqa: S311
        raise StorageUnavailable

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _once(
        self, connection: HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: Body
    ) -> Answer:
        try:
            connection.request(method, target, body, dict(headers))
            response = connection.getresponse()
            answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    def _connected(self) -> HTTPConnection:
        """An idle connection that the other side has not closed meanwhile, or a new one."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if _is_open(connection):
                return connection
            connection.close()
        return self._connect()

    def _connect(self) -> HTTPConnection:
        if self._tls:
            connection: HTTPConnection = HTTPSConnection(self._netloc, timeout=_CONNECT_SECONDS, context=self._tls)
        else:
            connection = HTTPConnection(self._netloc, timeout=_CONNECT_SECONDS)
        connection.connect()
        connection.sock.settimeout(_ANSWER_SECONDS)
        return connection


def _is_open(connection: HTTPConnection) -> bool:
    """An idle connection has nothing to read; one that has was closed by the storage."""
    connection.sock.setblocking(False)
    try:
        connection.sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    finally:
        connection.sock.settimeout(_ANSWER_SECONDS)
    return False
