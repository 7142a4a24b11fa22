"""Every name of gunicorn that Ferry overrides, replaces or reads exists in the installed version.

gunicorn's worker and HTTP classes are no public API: an upgrade that renames one of them must fail here, and not
silently leave an override uncalled. The uses are found in Ferry's source, so that new ones are checked too.
"""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

import pytest
from gunicorn.config import KNOWN_SETTINGS
from gunicorn.http import wsgi
from gunicorn.http.parser import Parser

from dev.parts import ROOT
from tests.server.gunicorn_uses import SUBCLASSES, USES, defined, is_marked, missing, names_bound


def test_every_name_exists() -> None:
    assert len(USES) > 100
    assert missing() == []


@pytest.mark.parametrize(
    "name",
    ["_cap_keepalive", "_emit_body", "_expected_100_continue", "_read_reader", "keepalived_conns", "init_signals",
     "LISTENERS", "mxchunk", "nr_conns", "sock", "SocketUnreader", "take_buffered", "term", "worker_connections",
     "write"],
)  # fmt: skip
def test_a_renamed_name_is_reported(name: str) -> None:
    """As by an upgrade that renames it in all of gunicorn."""

    def renamed(owner: Any) -> str:
        module = owner.__name__ if inspect.ismodule(owner) else owner.__module__
        text = inspect.getsource(owner)
        return re.sub(rf"\b{name}\b", "renamed", text) if module.startswith("gunicorn") else text

    assert {place.split()[1] for place in missing(renamed)} == {name}


def test_every_override_is_marked() -> None:
    """An unmarked method that gunicorn defines too is one that an upgrade has added: gunicorn would call Ferry's."""
    unmarked = []
    for cls in SUBCLASSES.values():
        tree = ast.parse(inspect.getsource(cls)).body[0]
        inherited = {name for base in cls.__mro__[1:-1] for name in defined(base, inspect.getsource)}
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name != "__init__"]
        unmarked += [
            f"{cls.__name__}.{each.name}" for each in functions if each.name in inherited and not is_marked(each)
        ]

    assert unmarked == []


def test_replaced_classes_are_looked_up_when_they_are_used() -> None:
    """`Worker.init_process` replaces them in their modules."""
    assert "Response" in wsgi.create.__code__.co_names
    assert "SocketUnreader" in Parser.__init__.__code__.co_names


def test_every_setting_and_hook_exists() -> None:
    """gunicorn ignores names in its configuration file that it does not know."""
    body = ast.parse((ROOT / "gunicorn.conf.py").read_text()).body
    names = set(names_bound([node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]))
    known = {setting.name for setting in KNOWN_SETTINGS}

    assert {name for name in names if not name.startswith("_")} - known == set()
    assert {"bind", "post_fork", "worker_exit", "worker_class"} <= names


def test_every_environ_key_exists() -> None:
    keys = {key for path in (ROOT / "api").rglob("*.py") for key in re.findall(r'"(gunicorn\.\w+)"', path.read_text())}

    assert keys
    assert {key for key in keys if f'"{key}"' not in inspect.getsource(wsgi)} == set()
