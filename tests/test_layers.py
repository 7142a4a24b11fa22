"""The layers of pyproject.toml: imports run downward only, importing does nothing, all lists of packages agree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LAYERS: list[list[str]] = PYPROJECT["tool"]["ferry"]["layers"]
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}
PACKAGES = {name for name in LAYER if (ROOT / name).is_dir()}
VENDORS = {
    "boto3": ("storage/s3/client.py",),
    "botocore": ("storage/s3/client.py",),
    "celery": ("tasks.py", "broker"),
    "filetype": ("content",),
    "limits": ("quotas/rate_limits.py",),
    "gunicorn": ("server",),
    "httptools": ("storage/s3/responses.py",),
    "msgspec": ("api",),
    "multipart": ("api",),
    "psycopg": ("database/postgresql.py",),
    "redis": ("broker", "relay"),
    "urllib3": ("storage",),
    "zipstream": ("api/archives.py",),
}


def files() -> list[Path]:
    found = [*ROOT.glob("*.py"), *(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))]
    return sorted(path for path in found if path.name != "gunicorn.conf.py")


def imports(path: Path) -> set[str]:
    """The dotted names of the modules that a file imports, anywhere in it.

    services.py names the types of every layer, and imports none of them at run time.
    """
    found = set()
    tree = ast.parse(path.read_text())
    typing_only = {node for branch in ast.walk(tree) if is_type_checking(branch) for node in ast.walk(branch)}
    for node in set(ast.walk(tree)) - (typing_only if path.name == "services.py" else set()):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def top(path: Path) -> str:
    """The module or package at the root that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


each_file = pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))


def test_there_are_at_most_ten_layers() -> None:
    assert len(LAYERS) <= 10


def test_every_module_has_a_layer() -> None:
    assert {top(path) for path in files()} == set(LAYER)


@each_file
def test_a_module_imports_only_from_lower_layers(path: Path) -> None:
    upward = {
        name
        for name in (module.split(".")[0] for module in imports(path))
        if name in LAYER and name != top(path) and LAYER[name] >= LAYER[top(path)]
    }
    assert upward == set()


@each_file
def test_imports_stand_at_the_top(path: Path) -> None:
    """An import inside a function is how a circle hides."""
    tree = ast.parse(path.read_text())
    body = [statement for statement in tree.body if path.name != "services.py" or not is_type_checking(statement)]
    inner = {node for statement in body for node in ast.walk(statement) if node is not statement}
    assert [node for node in inner if isinstance(node, (ast.Import, ast.ImportFrom))] == []


@each_file
def test_a_vendor_is_imported_in_one_place_only(path: Path) -> None:
    foreign = {
        module
        for module in imports(path)
        if (home := VENDORS.get(module.split(".")[0])) and not {top(path), str(path.relative_to(ROOT))} & set(home)
    }
    assert foreign == set()


def test_mypy_checks_every_layer() -> None:
    checked = {name.removesuffix(".py") for name in PYPROJECT["tool"]["mypy"]["files"]}
    assert checked == set(LAYER) | {"dev", "client/ferry_client"}


def test_the_image_holds_every_package() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    not_ignored = set(re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert copied == not_ignored == PACKAGES | {"migrations", "templates", "static"}


def test_importing_everything_does_nothing(tmp_path: Path) -> None:
    """No file, no thread, no socket, no app; an invalid setting is not even read."""
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files()]
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
