"""`make bench`: measures Ferry and its peers on this machine and writes results.md and results.svg.

python benchmarks/run.py [--rounds N] [CASE …]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cases
import committing
import folder
import http_client
import report
import small
import watching_cost
from lab import HERE, ROOT, Lab
from rows import Row

CASES = (
    "null_sink",
    "slow_sink",
    "memory",
    "answers",
    "celery",
    "small",
    "guarded",
    "commits",
    "progress",
    "folder",
    "http_client",
    "parser",
    "cpu_of",
)


def main() -> None:
    """Measure what is asked for; a case that is not keeps its last result, so that one can be done again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="*", choices=(*CASES, "picture", []), help="all of them, unless named")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    wanted = options.case or [*CASES, "picture"]
    folder = ROOT / "var" / "bench"
    for name in wanted:
        print(f"measuring: {name}", flush=True)
        with Lab(folder) as lab:
            if name == "picture":
                (HERE / "results.svg").write_text(report.picture(cases.by_size(lab, options.rounds)))
            else:
                found = _case(name)(lab, options.rounds)
                rows = {title: [asdict(row) for row in rows] for title, rows in found.items()}
                (folder / f"{name}.json").write_text(json.dumps(rows))
                for title, table in found.items():
                    print(
                        f"  {title}", *(f"    {row.what}: {row.value} {row.met}" for row in table), sep="\n", flush=True
                    )
    _write(folder, options.rounds)


def _case(name: str) -> Callable[[Lab, int], dict[str, list[Row]]]:
    return next(
        getattr(module, name)
        for module in (small, committing, watching_cost, folder, http_client, cases)
        if hasattr(module, name)
    )


def _write(folder: Path, rounds: int) -> None:
    tables: dict[str, list[Row]] = {}
    for name in CASES:
        path = folder / f"{name}.json"
        if path.exists():
            for title, rows in json.loads(path.read_text()).items():
                tables[title] = [Row(**row) for row in rows]
    (HERE / "results.md").write_text(report.page(tables, rounds))


if __name__ == "__main__":
    main()
