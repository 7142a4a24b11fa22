"""The names of gunicorn that Ferry overrides, replaces or reads, and those that gunicorn defines. Found by AST."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gunicorn.arbiter import Arbiter
from gunicorn.config import KNOWN_SETTINGS, Config
from gunicorn.glogging import Logger
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import ChunkMissingTerminator
from gunicorn.http.message import Request
from gunicorn.http.parser import Parser
from gunicorn.sock import TCPSocket
from gunicorn.workers.gthread import TConn

from dev.parts import ROOT
from server.body import ExpectedBody
from server.responses import LimitedResponse
from server.unreader import Unreader
from server.worker import Worker

FILES = [*sorted((ROOT / "server").glob("*.py")), ROOT / "gunicorn.conf.py"]
SUBCLASSES = {each.__name__: each for each in (Worker, LimitedResponse, Unreader, ExpectedBody)}
OBJECTS: dict[str, tuple[type, ...]] = {
    "body": (Body, ExpectedBody),
    "cfg": (Config,),
    "conn": (TConn,),
    "keepalived_conns[]": (TConn,),
    "log": (Logger,),
    "parser": (Parser,),
    "reader": (LengthReader, ChunkedReader),
    "req": (Request,),
    "server": (Arbiter,),
    "unreader": (Unreader,),
    "worker": (Worker,),
}
"""Variables and attributes in Ferry's code that hold objects of gunicorn, and the classes that these may have."""
OBJECTS_IN = {
    "body.py": {"error": (ChunkMissingTerminator,)},
    "gunicorn.conf.py": {"listener": (TCPSocket,)},
}
REPLACED = {("LimitedResponse", "sock")}
"""Attributes of gunicorn that Ferry's subclasses set."""

Source = Callable[[Any], str]


class Use(NamedTuple):
    """A use of a name that one of `owners`, gunicorn's classes or modules, has to define."""

    place: str
    owners: tuple[Any, ...]
    name: str

    def __str__(self) -> str:
        return f"{self.place} {self.name}"


def defined(owner: Any, source: Source) -> set[str]:
    """The names that a module defines at its top level, or a class and its bases in their bodies and on `self`."""
    if inspect.ismodule(owner):
        return set(names_bound(ast.parse(source(owner)).body))
    found = {setting.name for setting in KNOWN_SETTINGS} if owner is Config else set()
    for cls in owner.__mro__:
        if cls.__module__ in ("builtins", "logging"):
            found |= set(vars(cls))
        else:
            tree = ast.parse(source(cls)).body[0]
            assert isinstance(tree, ast.ClassDef)
            found |= set(names_bound(tree.body)) | set(_attributes_set(tree))
    return found


def names_bound(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))


def _attributes_set(tree: ast.ClassDef) -> Iterator[str]:
    changed = {node.target for node in ast.walk(tree) if isinstance(node, ast.AugAssign)}
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node not in changed]
    for node in attributes:
        is_set = isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
        if is_set and (tree.name, node.attr) not in REPLACED:
            yield node.attr


def uses(path: Path) -> Iterator[Use]:
    """The uses in a file: imports, attributes of gunicorn's objects, and all that its subclasses override."""
    tree = ast.parse(path.read_text())
    imported = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gunicorn":
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                value = getattr(module, alias.name, None)
                imported[alias.name] = value
                if not inspect.ismodule(value):
                    yield Use(f"{path.name}:{node.lineno}", (module,), alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (owners := _owners(node.value, path, imported)):
            yield Use(f"{path.name}:{node.lineno}", owners, node.attr)
        if isinstance(node, ast.ClassDef) and node.name in SUBCLASSES:
            yield from _uses_of_subclass(path, node, SUBCLASSES[node.name])


def _owners(receiver: ast.expr, path: Path, imported: dict[str, Any]) -> tuple[Any, ...]:
    if isinstance(receiver, ast.Name):
        if inspect.ismodule(imported.get(receiver.id)):
            return (imported[receiver.id],)
        return OBJECTS_IN.get(path.name, {}).get(receiver.id) or OBJECTS.get(receiver.id, ())
    if isinstance(receiver, ast.Subscript) and isinstance(receiver.value, ast.Attribute):
        return OBJECTS.get(f"{receiver.value.attr}[]", ())
    return OBJECTS.get(receiver.attr, ()) if isinstance(receiver, ast.Attribute) else ()


def _uses_of_subclass(path: Path, tree: ast.ClassDef, cls: type) -> Iterator[Use]:
    base = (cls.__mro__[1],)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and is_marked(node):
            yield Use(f"{path.name}:{node.lineno}", base, node.name)
        if isinstance(node, ast.Attribute):
            receiver = ast.unparse(node.value)
            if receiver == "super()" or (cls.__name__, node.attr) in REPLACED:
                yield Use(f"{path.name}:{node.lineno}", base, node.attr)
            elif receiver == "self":
                yield Use(f"{path.name}:{node.lineno}", (cls,), node.attr)


def is_marked(function: ast.FunctionDef) -> bool:
    return "override" in [ast.unparse(each) for each in function.decorator_list]


USES = [use for path in FILES for use in uses(path)]


def missing(source: Source = inspect.getsource) -> list[str]:
    """The uses of names that none of their owners defines."""
    known: dict[Any, set[str]] = {}
    for use in USES:
        for owner in use.owners:
            if owner not in known:
                known[owner] = defined(owner, source)
    return [str(use) for use in USES if not any(use.name in known[owner] for owner in use.owners)]
