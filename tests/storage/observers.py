"""Observers of uploads, and the error that a test's stream or observer raises."""

from __future__ import annotations

from storage.parts import Part


class Broken(Exception):
    """An arbitrary error of a stream."""


class RecordingObserver:
    """Records the parts it receives and its notifications; rejects the object unless it `accepts`."""

    def __init__(self, *, accepts: bool = True) -> None:
        self._accepts = accepts
        self.seen: list[int] = []
        self.heard: list[int] = []
        self.ran_ahead = False

    def on_part(self, part: Part) -> None:
        self.seen.append(len(part.body))

    def verify(self) -> None:
        if not self._accepts:
            raise Broken

    def on_stored(self, size: int) -> None:
        self.heard.append(size)
        self.ran_ahead |= sum(self.heard) > sum(self.seen)
