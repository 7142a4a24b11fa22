"""The database: what is insisted on, and for how long."""

from __future__ import annotations

import time

import pytest
from sqlalchemy.exc import OperationalError

from database import insist


class Away:
    """A database that takes `seconds` to say that it does not answer, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now, self.tries, self._seconds = 0.0, 0, seconds
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self._pass)

    def move(self) -> None:
        self.tries += 1
        self._pass(self._seconds)
        raise OperationalError("UPDATE", {}, Exception("away"))

    def _pass(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("seconds", [0, 10], ids=["refused", "frozen"])
def test_a_database_is_insisted_on_for_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    away = Away(monkeypatch, seconds)
    with pytest.raises(OperationalError):
        insist(away.move, 75)

    assert away.tries > 4
    assert 75 <= away.now < 75 + 3 + seconds


def test_without_patience_it_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    away = Away(monkeypatch, 0)
    with pytest.raises(OperationalError):
        insist(away.move, 0)

    assert away.tries == 1
