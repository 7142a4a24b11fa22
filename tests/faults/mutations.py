"""Safeguards by qualified name, and the transformations that take them out of the syntax tree.

A mutation names its place by a pattern (tests/faults/patterns.py):

    replace("_1 == _2", "_1 >= _2")
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.patterns import Captures, expression, filled, matches

Mutation = Callable[[ast.stmt], None]
"""Changes one place of a definition. Raises MutationError if it finds none, or several."""


class MutationError(ValueError):
    """A target that does not resolve, or a pattern that does not match exactly one place."""


@dataclass(frozen=True)
class Safeguard:
    """Code that keeps a promise."""

    name: str
    """As in docs/reliability.md."""
    target: str
    """`package.module:qualified.name` of the function, class or assigned name that holds it."""
    mutate: Mutation
    """Takes the safeguard out."""
    tests: tuple[str, ...]
    """Paths or node ids; one of them must fail without the safeguard."""

    def path(self, root: Path) -> Path:
        """The file of `target`."""
        module = self.target.partition(":")[0]
        whole = root / f"{module}.py"  # gunicorn.conf.py has a dot in its name.
        return whole if whole.exists() else root / (module.replace(".", "/") + ".py")

    def mutant(self, root: Path) -> str:
        """The file's source without the safeguard. Raises MutationError."""
        path = self.path(root)
        if not path.exists():
            raise MutationError(f"{self.name}: {self.target} has no file {path.relative_to(root)}")
        tree = ast.parse(path.read_text())
        try:
            place = definition(tree, self.target.partition(":")[2])
            before = ast.dump(place)
            self.mutate(place)
            if ast.dump(place) == before:
                raise MutationError("nothing changes")
        except MutationError as error:
            raise MutationError(f"{self.name}: {self.target}: {error}") from None
        return ast.unparse(ast.fix_missing_locations(tree))


def replace(old: str, new: str) -> Mutation:
    """Replace the expression that matches `old`."""
    pattern, replacement = expression(old), expression(new)

    def rewrite(node: ast.AST) -> ast.AST | None:
        captures: Captures = {}
        return filled(replacement, captures) if matches(pattern, node, captures) else None

    return _once(rewrite, old)


def replace_text(old: str, new: str) -> Mutation:
    """Replace a part of a string constant: of SQL or Lua, say."""

    def rewrite(node: ast.AST) -> ast.AST | None:
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if not is_text or old not in node.value:
            return None
        if node.value.count(old) > 1:
            raise MutationError(f"{old!r} occurs {node.value.count(old)} times in one string")
        return ast.Constant(node.value.replace(old, new))

    return _once(rewrite, old)


def return_value(new: str) -> Mutation:
    """Return another value from the only `return`."""
    value = expression(new)
    return _once(lambda node: ast.Return(value) if isinstance(node, ast.Return) else None, "return")


def drop(statement: str) -> Mutation:
    """Leave out a statement."""
    (pattern,) = ast.parse(statement).body
    return _once(lambda node: ast.Pass() if matches(pattern, node, {}) else None, statement)


def drop_element(element: str) -> Mutation:
    """Leave out an element of a list."""
    pattern = expression(element)

    def rewrite(node: ast.AST) -> ast.AST | None:
        if not isinstance(node, ast.List):
            return None
        rest = [each for each in node.elts if not matches(pattern, each, {})]
        return ast.List(rest, ast.Load()) if len(rest) < len(node.elts) else None

    return _once(rewrite, element)


def drop_named(name: str) -> Mutation:
    """Leave out a keyword argument, or an entry of a dictionary."""

    def rewrite(node: ast.AST) -> ast.AST | None:
        if isinstance(node, ast.Call) and any(keyword.arg == name for keyword in node.keywords):
            return ast.Call(node.func, node.args, [keyword for keyword in node.keywords if keyword.arg != name])
        if isinstance(node, ast.Dict):
            rest = [pair for pair in zip(node.keys, node.values, strict=True) if not _is_text(pair[0], name)]
            if len(rest) < len(node.keys):
                return ast.Dict([key for key, _ in rest], [value for _, value in rest])
        return None

    return _once(rewrite, name)


def never(condition: str = "_") -> Mutation:
    """Never take the branch of the `if` whose test contains `condition`."""
    return _decide(condition, outcome=False)


def always(condition: str = "_") -> Mutation:
    """Always take the branch of the `if` whose test contains `condition`."""
    return _decide(condition, outcome=True)


def unwrap() -> Mutation:
    """Run the block of the only `with` without it."""
    true = ast.Constant(True)
    return _once(lambda node: ast.If(true, node.body, []) if isinstance(node, ast.With) else None, "with")


def drop_finally() -> Mutation:
    """Do nothing in the only `finally`."""

    def rewrite(node: ast.AST) -> ast.AST | None:
        if not isinstance(node, ast.Try) or not node.finalbody:
            return None
        return ast.Try(node.body, node.handlers, node.orelse, [ast.Pass()])

    return _once(rewrite, "finally")


def _decide(condition: str, *, outcome: bool) -> Mutation:
    pattern = expression(condition)

    def rewrite(node: ast.AST) -> ast.AST | None:
        if not isinstance(node, ast.If) or not any(matches(pattern, each, {}) for each in ast.walk(node.test)):
            return None
        return ast.If(ast.Constant(outcome), node.body, node.orelse)

    return _once(rewrite, f"if {condition}")


def _once(rewrite: Callable[[ast.AST], ast.AST | None], description: str) -> Mutation:
    """A mutation by `rewrite`, which returns None for each node that it leaves as it is."""

    def mutate(definition: ast.stmt) -> None:
        rewriter = _Rewriter(rewrite)
        rewriter.visit(definition)
        if rewriter.count != 1:
            raise MutationError(f"{description!r} matches {rewriter.count} times, not once")

    return mutate


class _Rewriter(ast.NodeTransformer):
    def __init__(self, rewrite: Callable[[ast.AST], ast.AST | None]) -> None:
        self._rewrite = rewrite
        self.count = 0

    def visit(self, node: ast.AST) -> ast.AST:
        node = self.generic_visit(node)
        changed = self._rewrite(node)
        if changed is None:
            return node
        self.count += 1
        return changed


def _is_text(node: ast.expr | None, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def definition(tree: ast.Module, name: str) -> ast.stmt:
    """The only definition of this qualified name. Raises MutationError."""
    found: list[ast.stmt] = [tree]  # type: ignore[list-item]
    for part in name.split("."):
        found = [each for outer in found for each in _statements(outer) if _defines(each, part)]
    if len(found) != 1:
        raise MutationError(f"{len(found)} definitions, not one")
    return found[0]


def _statements(outer: ast.AST) -> Iterator[ast.stmt]:
    """All statements inside, but for those of further functions and classes."""
    for each in ast.iter_child_nodes(outer):
        if isinstance(each, ast.stmt):
            yield each
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _statements(each)


def _defines(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return statement.name == name
        case ast.Assign(targets=[ast.Name(id=assigned)]) | ast.AnnAssign(target=ast.Name(id=assigned)):
            return assigned == name
    return False
