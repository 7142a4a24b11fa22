"""One Ferry for all bad input, with a single thread: a request that blocks it would block the next test."""

from __future__ import annotations

from collections.abc import Iterator
from operator import not_
from pathlib import Path

import pytest

from dev.polling import eventually
from tests.harness.raw_client import RawClient, Reply, get, post
from tests.harness.stack import Stack

STALL = 1
RATE = 2000
LIMIT = 1 << 20
RAW = "Content-Type: application/pdf"


class Ferry(Stack):
    """All processes of Ferry, and the keys of the objects that may be in its bucket."""

    expected: set[str]

    def __enter__(self) -> Ferry:
        super().__enter__()
        self.expected = set()
        return self

    def ask(self, request: bytes, *, end: bool = False) -> Reply:
        """The response to a request on a new connection."""
        with RawClient(self.ports.web) as wire:
            wire.send(request, end=end)
            return wire.reply()

    def assert_clean(self) -> None:
        """No file is unfinished, no bytes are left behind, and the next valid upload is served."""
        assert eventually(self._unended, not_, seconds=10) == []
        assert self.spooled() == []
        assert set(self.objects()) == self.expected

        good = self.ask(post("/normal_upload?name=good.bin", b"good", RAW))
        assert (good.status, good.json["status"]) == (201, "COMPLETE")
        self.keep(good)

    def keep(self, accepted: Reply) -> dict[str, str]:
        """The file of an accepted upload once it is stored. Its object may stay."""
        file = accepted.json if accepted.json["status"] == "COMPLETE" else self.ended(accepted.json["id"])
        assert file["status"] == "COMPLETE"
        self.expected.add(file["url"].rsplit("/", 1)[1])
        return file

    def web_workers(self) -> list[int]:
        """The ids of the web processes."""
        pid = self.running["web"].pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _unended(self) -> list[str]:
        pages = [self.ask(get(f"/files?status={status}")).json for status in ("PENDING", "PROCESSING")]
        return [file["id"] for page in pages for file in page["files"]]


def settings(threads: int) -> dict[str, str]:
    """Settings of one web process with short timeouts."""
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
    """Ferry. After the test no bytes are left behind, and the next client is served."""
    yield ferry_of_all
    ferry_of_all.assert_clean()
