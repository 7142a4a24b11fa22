"""The findings of a sweep."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

log = logging.getLogger("ferry.sweep")

KINDS = {
    "reclaimed": "abandoned files put back to PENDING",
    "ended": "abandoned files ended as ERROR, out of attempts",
    "dispatched": "due files dispatched",
    "expired": "expired files deleted",
    "failed_removed": "files in ERROR deleted after their retention",
    "failed_purged": "owners over the limit of files in ERROR, whose oldest were removed",
    "removed": "deleted files whose data was removed",
    "uploads_aborted": "orphaned multipart uploads aborted",
    "objects_removed": "orphaned objects removed",
    "objects_missing": "COMPLETE files flagged because their object is missing",
    "objects_back": "COMPLETE files whose missing object is back",
    "spool_removed": "orphaned spool files removed",
}


@dataclass
class Report:
    """Findings by kind. `dry`: only report, change nothing."""

    dry: bool = False
    found: list[tuple[str, str]] = field(default_factory=list)

    def act(self, kind: str, subject: str, action: Callable[..., object], *args: object) -> None:
        """Call `action(*args)` and record it."""
        if not self.dry:
            action(*args)
        self._record(kind, subject)

    def act_if_due(self, kind: str, subject: str, action: Callable[..., object], *args: object) -> None:
        """Call `action(*args)` and record it if the result is true: if not, there was nothing to do."""
        if self.dry or action(*args):
            self._record(kind, subject)

    def _record(self, kind: str, subject: str) -> None:
        self.found.append((kind, subject))
        log.info("sweep.%s: %s%s", kind, subject, " (dry run)" if self.dry else "")

    @property
    def counts(self) -> dict[str, int]:
        """The number of findings of each kind."""
        counted = Counter(kind for kind, _ in self.found)
        return {kind: counted[kind] for kind in KINDS}
