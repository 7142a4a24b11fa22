"""Faults that the proxy injects: operation, kind, count. No I/O."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

from tests.faults.operations import ANY

Kind = Literal[
    "status", "reset", "hang", "stall", "lost_reply", "err200", "corrupt", "wrong_etag", "nothing_kept", "half_kept"
]  # fmt: skip
"""`status`: an error response, the request is not forwarded · `err200`: the same with status 200, as Complete may do ·
`reset`: the connection is reset after `after` bytes of the body · `hang`: no answer until released, then a reset ·
`stall`: no answer until released, then all goes its way · `lost_reply`: done, but the answer is replaced by a reset ·
`corrupt`: a byte of the body is another one · `wrong_etag`: the answer names another digest ·
`nothing_kept`: success, but the request is not forwarded · `half_kept`: success, but half of the body is forwarded."""


@dataclass(eq=False)
class Fault:
    """One fault. `times`: how often, None for always; the first `skip` requests pass."""

    operation: str
    kind: Kind
    times: int | None = 1
    skip: int = 0
    after: int = 0
    status: int = 503
    code: str = "SlowDown"
    etag: str = "0" * 32
    triggered: int = 0
    released: threading.Event = field(default_factory=threading.Event, repr=False)

    def takes(self, operation: str) -> bool:
        """Whether the fault applies to this request; counts it."""
        if self.operation not in (ANY, operation) or self.triggered == self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.triggered += 1
        return True

    def error(self) -> bytes:
        """An error response as S3 sends it: status line, headers, XML."""
        xml = f"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{self.code}</Code></Error>"
        status = 200 if self.kind == "err200" else self.status
        head = f"HTTP/1.1 {status} Injected\r\nContent-Type: application/xml\r\nContent-Length: {len(xml)}\r\n\r\n"
        return head.encode() + xml.encode()


class Faults:
    """The faults of one proxy, in the order in which they were added. The first that applies is used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def strike(self, operation: str) -> Fault | None:
        """The first fault that applies to this request, or None."""
        with self._lock:
            return next((fault for fault in self._faults if fault.takes(operation)), None)

    def clear(self) -> None:
        """Remove all faults, and release hanging and stalled requests."""
        with self._lock:
            faults, self._faults = self._faults, []
        for fault in faults:
            fault.released.set()
