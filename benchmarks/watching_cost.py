"""What it costs that clients can see how far a file is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lab import HERE, Lab, Server
from measure import by_turns, ratio
from rows import GIB, MB, Row, median
from upload import upload_form


def progress(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """Normal uploads whose progress is written, against the same without."""
    sink = lab.sink()
    telling, silent = lab.ferry(sink), lab.ferry_in(lab.ferry_env(sink, None), "silent:create_app()", HERE / "peers")
    rows = []
    for size, label in ((GIB, "1 GiB"), (300 * MB, "300 MB")):
        file = lab.file(size)
        found = by_turns({"told": _upload(telling, file), "untold": _upload(silent, file)}, rounds)
        against = ratio(found, "told", "untold")
        text = f"{median(found, 'told'):.3f} s against {median(found, 'untold'):.3f} s, ratio {against}"
        rows.append(Row(f"normal, {label}, null sink", text, against.median, 1.02))
    return {"What telling the progress costs (time with it ÷ time without)": rows}


def _upload(server: Server, file: Path) -> Callable[[], float]:
    def run() -> float:
        reply = upload_form(server.port, "/normal_upload", file)
        reply.json()
        return reply.seconds

    return run
