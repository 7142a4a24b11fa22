"""The package: its imports and dependencies, and the examples of its README."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ferry_client.cli.main import main

from dev.parts import ROOT
from tests.client.conftest import environment
from tests.harness.stack import Stack
from tests.test_layers import imports

CLIENT = ROOT / "client"
FILES = sorted((CLIENT / "ferry_client").rglob("*.py"))
README = (CLIENT / "README.md").read_text()
VENDORS = {"httpx": "http.py", "rich": "progress.py"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CLIENT)))
def test_the_client_does_not_import_the_server(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)} - sys.stdlib_module_names

    assert roots <= {"ferry_client", *(name for name, home in VENDORS.items() if home == path.name)}


def test_the_package_declares_its_dependencies() -> None:
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())
    needed = {re.split(r"[^\w-]", line)[0] for line in project["project"]["dependencies"]}

    assert needed == set(VENDORS)
    assert (CLIENT / "ferry_client" / "py.typed").exists()
    assert project["project"]["scripts"] == {"ferry": f"{main.__module__}:{main.__name__}"}


def test_importing_the_client_does_not_import_rich() -> None:
    """Reads the imports, because httpx itself imports rich if click is installed."""
    tops = {
        name
        for path in FILES
        if path.name != "progress.py"
        for node in ast.parse(path.read_text()).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert not any("rich" in name or name.endswith("progress") for name in tops)


def test_the_readme_python_example_works(stack: Stack, tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.+?)```", README, re.DOTALL)
    (tmp_path / "photo.jpg").write_bytes(b"x" * 1000)

    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code.replace("http://127.0.0.1:5000", stack.url)],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("0 1000\n1000 1000\nCOMPLETE http")


def test_the_readme_commands_work(stack: Stack, tmp_path: Path) -> None:
    blocks = re.findall(r"```\n(ferry .+?)```", README, re.DOTALL)
    lines = "".join(blocks).splitlines()
    (tmp_path / "folder").mkdir()
    for name in ("photo.jpg", "notes.txt", "folder/b.txt"):
        (tmp_path / name).write_text(name)

    env = environment() | {"FERRY_URL": stack.url, "PYTHONPATH": f"{CLIENT}{os.pathsep}{ROOT}"}
    assert len(lines) == 6
    for line in lines:
        command = f"{sys.executable} -m ferry_client{line.removeprefix('ferry')}"
        ran = subprocess.run(command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
        assert (ran.returncode, "Traceback" in ran.stderr) == (0, False), ran.stderr
