"""The house: imports run downward only, and importing does nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# From the ground up. A room may import from any floor below its own, and from its own package.
FLOORS = [
    ["redaction", "redis_options"],
    ["config", "problems", "postgresql", "commits", "logs"],
    ["names", "sniffing", "budget", "chunked_uploads", "filename_encoding", "server", "database", "pool"],
    ["content", "task_messages"],
    ["owners", "broker"],
    ["worker_probe", "models", "keys", "slots", "rates", "storage", "spool", "sent", "window"],
    ["moves", "lookups"],
    ["lease", "locks", "watching", "removal"],
    ["measured", "attempts"],
    ["file", "idempotency"],
    ["tasks"],
    ["modes"],
    ["sweep"],
    ["doors"],
    ["routes", "cli"],
    ["app"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
ROOMS = ("sniffing", "server", "sent", "storage", "moves", "modes", "sweep", "doors", "cli")
VENDORS = {
    "boto3": ("storage/s3_client.py",),
    "botocore": ("storage/s3_client.py",),
    "celery": ("tasks.py", "worker_probe.py"),
    "filetype": ("sniffing/marks.py",),
    "limits": ("rates.py",),
    "gunicorn": ("server",),
    "multipart": ("sent",),
    "psycopg": ("postgresql.py",),
    "redis": ("window.py",),
    "urllib3": ("storage",),
    "zipstream": ("doors/archives.py",),
}


def files() -> list[Path]:
    return [
        *ROOT.glob("*.py"),
        *(path for room in ROOMS for path in (ROOT / room).rglob("*.py")),
    ]


def imports(path: Path) -> set[str]:
    """The dotted names of the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_from_below(path: Path) -> None:
    if room(path) == "gunicorn.conf":
        return
    upward = {
        name
        for name in (module.split(".")[0] for module in imports(path))
        if name in FLOOR and name != room(path) and FLOOR[name] >= FLOOR[room(path)]
    }
    assert upward == set()


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_stand_at_the_top(path: Path) -> None:
    """An import inside a function is how a circle hides."""
    tree = ast.parse(path.read_text())
    inner = {node for top in tree.body for node in ast.walk(top) if node is not top}
    assert [node for node in inner if isinstance(node, (ast.Import, ast.ImportFrom))] == []


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_vendor_is_named_in_one_place_only(path: Path) -> None:
    foreign = {
        module
        for module in imports(path)
        if (home := VENDORS.get(module.split(".")[0])) and not {room(path), str(path.relative_to(ROOT))} & set(home)
    }
    assert foreign == set()


def test_importing_everything_does_nothing(tmp_path: Path) -> None:
    """No file, no thread, no socket, no app; a nonsense setting is not even looked at."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files() if "gunicorn" not in path.name
    ]
    script = f"""
import sys, socket, threading, importlib, flask
def forbidden(*args, **kwargs): raise AssertionError("an import did something")
socket.socket.connect = flask.Flask.__init__ = threading.Thread.start = forbidden
for name in {modules!r}: importlib.import_module(name)
"""
    env = {"PYTHONPATH": str(ROOT), "MAX_FILE_SIZE": "ten", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
