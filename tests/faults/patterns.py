"""Patterns of Python source, and what they match in a syntax tree.

The names `_`, `_1`, `_2` … match any expression, an attribute `_` any attribute, and a last element `...` all that
follows. What `_1` matched stands for `_1` in the replacement. Names and comments that a pattern does not mention, and
the formatting, may change freely.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_WILDCARD = re.compile(r"_\d?")
_FIELDS_IGNORED = ("ctx", "kind", "type_comment")

Captures = dict[str, ast.expr]
"""The expressions that the wildcards of a pattern stand for, by name."""


def matches(pattern: object, node: object, captures: Captures) -> bool:
    """Whether a pattern matches; puts what its wildcards match into `captures`."""
    if isinstance(pattern, list) and isinstance(node, list):
        return _matches_list(pattern, node, captures)
    if isinstance(pattern, ast.Name) and _WILDCARD.fullmatch(pattern.id) and isinstance(node, ast.expr):
        captures[pattern.id] = node
        return True
    if not isinstance(pattern, ast.AST):
        return pattern == node
    return type(pattern) is type(node) and all(
        matches(getattr(pattern, field), getattr(node, field), captures) for field in _fields(pattern)
    )


def _matches_list(pattern: list[object], node: list[object], captures: Captures) -> bool:
    if pattern and _is_rest(pattern[-1]):
        pattern = pattern[:-1]
        node = node[: len(pattern)]
    return len(pattern) == len(node) and all(map(lambda *each: matches(*each, captures), pattern, node))


def _fields(pattern: ast.AST) -> Iterator[str]:
    ignored = set(_FIELDS_IGNORED)
    if isinstance(pattern, ast.Attribute) and pattern.attr == "_":
        ignored.add("attr")
    if isinstance(pattern, ast.Call) and pattern.args and _is_rest(pattern.args[-1]):
        ignored.add("keywords")
    return (field for field in pattern._fields if field not in ignored)


def _is_rest(node: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def expression(source: str) -> ast.expr:
    """The syntax tree of an expression."""
    return ast.parse(source, mode="eval").body


def filled(replacement: ast.expr, captures: Captures) -> ast.AST:
    """A copy of the replacement with the captured expressions."""
    copy = ast.parse(ast.unparse(replacement), mode="eval")

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return captures.get(node.id, node)

    return Fill().visit(copy).body  # type: ignore[no-any-return]
