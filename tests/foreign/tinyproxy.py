"""tinyproxy, a forward proxy as in many companies' networks."""

from __future__ import annotations

from pathlib import Path

from dev.process import Process
from tests.foreign.packages import require

_CONF = """
Port {port}
Listen 127.0.0.1
Timeout 600
LogFile "{folder}/requests.log"
LogLevel Connect
MaxClients 100
"""


def start(folder: Path, port: int) -> Process:
    """A proxy that listens on `port` and logs each request in `requests.log` below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    conf = folder / "tinyproxy.conf"
    conf.write_text(_CONF.format(port=port, folder=folder))
    return Process("tinyproxy", [require("tinyproxy"), "-d", "-c", str(conf)], log=folder / "tinyproxy.log")


def requests_seen(folder: Path) -> list[str]:
    """The methods of the forwarded requests, in order."""
    lines = (folder / "requests.log").read_text().splitlines()
    return [line.split("): ", 1)[1].split()[0] for line in lines if "Request (file descriptor" in line]
