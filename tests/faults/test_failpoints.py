"""Failpoints sit at functions that exist, and act once, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import failpoints


def test_each_failpoint_wraps_a_function_under_its_own_name() -> None:
    for _, places in failpoints._IN_ORDER.values():
        assert [getattr(owner, function.__name__) for owner, function in places] == [f for _, f in places]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_order_is_executed_once(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order, calls = tmp_path / "fail", list[int]()
    monkeypatch.setenv("FERRY_FAIL", f"@{order}")
    order.write_text("here:raise")
    function = failpoints._wrapped(calls.append, "here", moment)
    failpoints._wrapped(calls.append, "elsewhere", moment)(0)

    with pytest.raises(RuntimeError, match="failpoint"):
        function(1)
    function(2)

    assert calls == ([0, 2] if moment == "before" else [0, 1, 2])
    assert not order.exists()
