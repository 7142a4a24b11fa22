"""Mutation tests: take Ferry's safeguards out one at a time; a test must fail. Run by `make mutants`.

python -m tests.faults.mutants [name…]

Works in a copy of the tree. First all tests that are to fail must pass without a change. Prints
`caught <name> by <test>` or `SURVIVED <name>`; the exit code is 1 if a mutant survived.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dev import parts
from tests.faults.mutations import Safeguard
from tests.faults.safeguards import SAFEGUARDS

_SECONDS = 180
_NOT_COPIED = ("node_modules", "var", "__pycache__")


def main(names: Sequence[str]) -> int:
    """Test the safeguards of these names, or all. Returns the exit code."""
    known = {safeguard.name for safeguard in SAFEGUARDS}
    if unknown := set(names) - known:
        _say(f"unknown: {', '.join(sorted(unknown))}. Known: {', '.join(sorted(known))}")
        return 2
    chosen = [safeguard for safeguard in SAFEGUARDS if not names or safeguard.name in names]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ferry-mutants-") as folder:
        tree = Path(folder) / "tree"
        _copy(tree)
        for safeguard in chosen:
            safeguard.mutant(tree)
        green = sorted({test for safeguard in chosen for test in safeguard.tests})
        if red := _red_test(tree, green, 20 * _SECONDS):
            _say(f"RED without a change: {red}")
            return 1
        survivors = [safeguard.name for safeguard in chosen if not _caught(tree, safeguard)]
    _say(f"mutants={len(chosen)} caught={len(chosen) - len(survivors)} in {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


def _caught(tree: Path, safeguard: Safeguard) -> bool:
    """Whether a test fails without this safeguard. Restores the file afterwards."""
    path = safeguard.path(tree)
    original = path.read_text()
    path.write_text(safeguard.mutant(tree))
    try:
        red = _red_test(tree, safeguard.tests, _SECONDS)
    finally:
        path.write_text(original)
    _say(f"caught   {safeguard.name}  by {red}" if red else f"SURVIVED {safeguard.name}")
    return bool(red)


def _copy(tree: Path) -> None:
    """Copy the working tree without hidden files (repository, venv) and caches."""
    shutil.copytree(parts.ROOT, tree, ignore=shutil.ignore_patterns(".*", *_NOT_COPIED))


def _red_test(tree: Path, tests: Sequence[str], seconds: float) -> str:
    """The first of these tests that fails or errors; empty if all pass."""
    argv = [sys.executable, "-m", "pytest", "-x", "--tb=no", "-rfE", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(argv, cwd=tree, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"{tests[0]} (no end within {seconds:.0f} s)"
    if done.returncode == 0:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    if done.returncode != 1 or not found:
        raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    return found[1]


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
