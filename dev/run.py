"""`make run`: Ferry and its parts on this machine, until Ctrl-C. Everything is written below one folder.

A part that exits is restarted. `--parent PID`: end as soon as `make`, with this process id, ends.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from config import Config, ConfigError, load
from dev import parts
from dev.process import StartError, free_port, is_free
from dev.supervision import Supervised, is_ending

_GREETING = """
  Ferry is running:  {url}

  curl -F file=@README.md {url}/normal_upload
  curl -F file=@README.md {url}/async_upload
  curl -F file=@README.md {url}/celery_upload

  Everything is written below {data}. Ctrl-C ends it all.
"""


def main(argv: Sequence[str]) -> int:
    """Start all parts, wait for a signal or a part that keeps exiting, stop all. Return the exit code."""
    os.umask(0o077)
    parent = _parent(argv)
    wake = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        wake.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    running: list[Supervised] = []
    try:
        if parent and os.getppid() != parent:
            return 0
        _start(running)
        while not (wake.wait(0.5) or (parent and (os.getppid() != parent or is_ending(parent)))):
            for part in running:
                part.restart_if_due()
    except (StartError, ConfigError) as error:
        print(f"\n{error}\n", file=sys.stderr)
        return 1
    finally:
        for part in reversed(running):
            part.process.stop()
    return 0


def _parent(argv: Sequence[str]) -> int | None:
    """The id of `make`, as the shell of its recipe saw it: getppid() is 1 already if `make` was killed since."""
    parser = ArgumentParser(prog="python -m dev.run")
    parser.add_argument("--parent", type=int)
    parent: int | None = parser.parse_args(argv).parent
    return parent


def _start(running: list[Supervised]) -> None:
    settings = load()
    data = settings.ferry_data
    ports = _ports(settings.port)
    env = parts.environment(data, ports)
    data.mkdir(parents=True, exist_ok=True)
    _claim(data)
    for start, port in ((parts.s3, ports.s3), (parts.redis, ports.redis), (parts.files, ports.files)):
        running.append(Supervised(partial(start, data, port)))
    parts.upgrade(env)
    for part, port in zip(running, (ports.s3, ports.redis, ports.files), strict=True):
        part.process.wait_for(port)
    running.append(Supervised(partial(parts.worker, env)))
    running.append(Supervised(partial(parts.web, env)))
    running[-1].process.wait_for(ports.web)
    print(_GREETING.format(url=f"http://127.0.0.1:{ports.web}", data=_short(data)), _host_notice(settings), flush=True)


def _host_notice(settings: Config) -> str:
    """A notice that HOST is ignored; empty if it is the default."""
    if settings.host == "127.0.0.1":
        return ""
    return f" HOST={settings.host} is ignored: `make run` listens on 127.0.0.1 only. See docs/running.md.\n"


def _claim(data: Path) -> None:
    """Lock the folder: two Redis servers would overwrite each other's tasks. Released when this process ends."""
    lock = os.open(data / "run.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartError(
            f"Ferry already runs on {_short(data)}. For a second one: FERRY_DATA=elsewhere make run"
        ) from None
    except OSError as error:
        raise StartError(f"{_short(data)} is on a disk without file locks ({error.strerror}). Use another.") from error


def _ports(web: int) -> parts.Ports:
    """The web's port and the next three, so that URLs stay valid over restarts; a free one if one is taken."""
    if not is_free(web):
        raise StartError(f"Port {web} is taken. Choose another: make run PORT={web + 10}")
    return parts.Ports(web, *(port if is_free(port) else free_port() for port in range(web + 1, web + 4)))


def _short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
