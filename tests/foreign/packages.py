"""Debian packages of the foreign suite, and their installation: `python -m tests.foreign.packages`.

With the names of programs of the list, only those are installed: `python -m tests.foreign.packages chromium npm`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = {
    "radosgw": ("radosgw", "ceph-mon", "ceph-osd", "ceph-mgr", "ceph-common"),
    "pgbouncer": ("pgbouncer",),
    "tinyproxy": ("tinyproxy-bin",),
    "haproxy": ("haproxy",),
    "nginx": ("nginx-light",),
    "go": ("golang-go",),
}
"""The Debian packages of each program."""
ON_REQUEST = {"chromium": ("chromium",), "npm": ("nodejs", "npm")}
"""Packages of the browser tests: large, so installed only when they are named."""

_SBIN = "/usr/sbin:/usr/local/sbin"
_SYSTEMD = Path("/run/systemd/system")


def find(program: str) -> str | None:
    """The program's path. Debian installs servers outside of an ordinary user's PATH."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SBIN}")


def require(program: str) -> str:
    """The path of a program. Skips the test if it is not installed."""
    found = find(program)
    if found is None:
        pytest.skip(f"{program} is not installed: apt-get install {' '.join((PACKAGES | ON_REQUEST)[program])}")
    return found


def main(*programs: str) -> int:
    """Install missing packages if that disturbs no running system; otherwise print the command. Always returns 0."""
    known = PACKAGES | ON_REQUEST
    missing = sorted({name for program in programs or PACKAGES if not find(program) for name in known[program]})
    if not missing:
        return 0
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    # Under systemd Debian's packages start their services: that is for the machine's owner to decide.
    if os.geteuid() != 0 or _SYSTEMD.exists() or not shutil.which("apt-get"):
        print(f"Not installed, their tests are skipped: {' '.join(missing)}. On Debian: {' '.join(command)}")  # noqa: T201
        return 0
    subprocess.run(["apt-get", "update", "-q"], check=False)
    if subprocess.run(command, check=False).returncode:
        print(f"apt-get failed. The tests that need {' '.join(missing)} are skipped.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
