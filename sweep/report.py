"""What a sweep has done, or would do."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

log = logging.getLogger("ferry.sweep")

KINDS = {
    "taken_back": "files taken from a holder that fell silent",
    "ended": "files ended as ERROR whose holder fell silent for the last time",
    "handed_out": "waiting files handed out",
    "expired": "files deleted whose time was over",
    "failed_removed": "files in ERROR deleted whose time was over",
    "failed_forgotten": "owners of too many files in ERROR, whose oldest were forgotten",
    "removed": "deleted files of which all was removed",
    "uploads_aborted": "uploads in parts aborted that nobody would have ended",
    "objects_removed": "objects removed that belong to no file",
    "objects_missing": "COMPLETE files flagged whose object is gone",
    "objects_back": "COMPLETE files whose object is there again",
    "spool_removed": "files of the spool removed that nobody needs",
}


@dataclass
class Report:
    """Findings by kind. `dry`: nothing is done, it is only said."""

    dry: bool = False
    found: list[tuple[str, str]] = field(default_factory=list)

    def act(self, kind: str, subject: str, do: Callable[..., object], *args: object) -> None:
        """Call `do(*args)` and note it, unless it says (False) that there was nothing to be done."""
        if not self.dry and do(*args) is False:
            return
        self.found.append((kind, subject))
        log.info("%s%s: %s", "would be " if self.dry else "", kind.replace("_", " "), subject)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        counted = Counter(kind for kind, _ in self.found)
        return {kind: counted[kind] for kind in KINDS}
