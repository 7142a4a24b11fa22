"""What it gains that changes which come at once are committed at once on SQLite."""

from __future__ import annotations

import os

from lab import HERE, Lab, Server
from load import closed_loop
from measure import by_turns, ratio
from rows import Row, median
from upload import form_request

CLIENTS, UPLOADS = 16, 1000


def commits(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """Small uploads to two processes that share a SQLite file, against the same that commit each change by itself."""
    sink, settings = lab.sink(), {"WEB_WORKERS": "2"}
    together = lab.ferry(sink, **settings)
    apart = lab.ferry_in(lab.ferry_env(sink, None, **settings), "apart:create_app()", HERE / "peers")
    slowest: dict[str, list[float]] = {"together": [], "apart": []}
    request = form_request("/normal_upload", os.urandom(4096))

    def run(name: str, server: Server) -> float:
        load = closed_loop(server.port, request, connections=CLIENTS, requests=UPLOADS)
        if load.failed:
            raise RuntimeError(f"{load.failed} of {UPLOADS} uploads failed")
        slowest[name].append(load.p99_seconds)
        return load.requests_per_second

    found = by_turns({"together": lambda: run("together", together), "apart": lambda: run("apart", apart)}, rounds)
    slowest = {name: values[1:] for name, values in slowest.items()}  # The first round only warms up.
    rows = []
    for what, measured, unit, scale in (
        ("uploads a second", found, "/s", 1),
        ("99 % answered in", slowest, " ms", 1e3),
    ):
        against = ratio(measured, "together", "apart")
        of = {name: f"{median(measured, name) * scale:.0f}{unit}" for name in measured}
        rows.append(Row(f"4 KB, {what}", f"{of['together']} against {of['apart']}, ratio {against}", against.median))
    return {"Two processes on one SQLite file, 16 clients: committed together ÷ each by itself": rows}
