"""A short chaos run with a fixed seed. `make chaos` does long ones."""

from __future__ import annotations

import pytest

from tests.faults import chaos


def test_a_short_chaos_run_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    code = chaos.main(["--seed", "1", "--n", "20"])

    said = capsys.readouterr().out
    assert code == 0, said
    assert said.splitlines()[-1].endswith("lost=0 stuck=0 orphan_objects=0 orphan_parts=0 spool_left=0 double=0"), said
