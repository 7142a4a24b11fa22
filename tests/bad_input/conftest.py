"""One Ferry for all bad input, with a single thread: whoever kept it would keep the next client out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_input.wire import Reply, Wire, get, post
from tests.stack import Stack

STALL = 1
RATE = 2000
LIMIT = 1 << 20
RAW = "Content-Type: application/pdf"


class Ferry(Stack):
    """The real thing, and what has been put into its bucket so far."""

    kept: set[str]

    def __enter__(self) -> Ferry:
        super().__enter__()
        self.kept = set()
        return self

    def ask(self, request: bytes, *, end: bool = False) -> Reply:
        """The answer to a request over a connection of its own."""
        with Wire(self.ports.web) as wire:
            wire.send(request, end=end)
            return wire.reply()

    def assert_clean(self) -> None:
        """Nothing is stuck, nothing is left over, and the next good upload is served."""
        deadline = time.monotonic() + 10
        while self._unended() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self._unended() == []
        assert self.spooled() == []
        assert set(self.objects()) == self.kept

        good = self.ask(post("/normal_upload?name=good.bin", b"good", RAW))
        assert (good.status, good.json["status"]) == (201, "COMPLETE")
        self.keep(good)

    def keep(self, accepted: Reply) -> dict[str, str]:
        """The file of an accepted upload once it is stored. Its object may stay."""
        file = accepted.json if accepted.json["status"] == "COMPLETE" else self.ended(accepted.json["id"])
        assert file["status"] == "COMPLETE"
        self.kept.add(file["url"].rsplit("/", 1)[1])
        return file

    def web_workers(self) -> list[int]:
        """The processes that serve."""
        pid = self.running["web"].pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _unended(self) -> list[str]:
        pages = [self.ask(get(f"/files?status={status}")).json for status in ("PENDING", "PROCESSING")]
        return [file["id"] for page in pages for file in page["files"]]


def settings(threads: int) -> dict[str, str]:
    return {
        "BODY_TIMEOUT": str(STALL),
        "MIN_UPLOAD_RATE": str(RATE),
        "MAX_FILE_SIZE": str(LIMIT),
        "DENIED_TYPES": "text/html, image/svg+xml, application/x-msdownload",
        "WEB_WORKERS": "1",
        "WEB_THREADS": str(threads),
    }


@pytest.fixture(scope="session")
def ferry_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ferry]:
    with Ferry(tmp_path_factory.mktemp("bad"), settings(threads=1)) as ferry:
        yield ferry


@pytest.fixture
def ferry(ferry_of_all: Ferry) -> Iterator[Ferry]:
    """Ferry. After the test nothing of it is left, and the next client is served."""
    yield ferry_of_all
    ferry_of_all.assert_clean()
