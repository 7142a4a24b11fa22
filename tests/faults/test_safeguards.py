"""Every safeguard resolves and mutates; the mutants themselves run with `make mutants`."""

from __future__ import annotations

import ast
import re

import pytest

from dev import parts
from tests.faults import mutations
from tests.faults.mutations import Mutation, MutationError, Safeguard
from tests.faults.safeguards import SAFEGUARDS

SOURCE = '''
TEXT: str = "SELECT 1; SELECT 2"

class A:
    def f(self, x):
        """Return x."""
        if x is None:
            raise ValueError("none")
        with self.lock:
            self.count(x, all=True)
        try:
            return self.total - x
        finally:
            self.close()
        pairs = [("a", 1), ("b", 2)]
'''


def mutated(name: str, mutate: Mutation) -> str:
    definition = mutations.definition(ast.parse(SOURCE), name)
    mutate(definition)
    return ast.unparse(ast.fix_missing_locations(definition))


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda safeguard: safeguard.name)
def test_every_safeguard_can_be_taken_out(safeguard: Safeguard) -> None:
    compile(safeguard.mutant(parts.ROOT), safeguard.target, "exec")


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda safeguard: safeguard.name)
def test_every_safeguard_has_tests_and_a_line_in_the_docs(safeguard: Safeguard) -> None:
    for test in safeguard.tests:
        file, _, function = test.partition("::")
        text = (parts.ROOT / file).read_text()
        assert not function or re.search(rf"def {re.escape(function.partition('[')[0])}\(", text), test
    assert f"| {safeguard.name} |" in (parts.ROOT / "docs/reliability.md").read_text()


def test_names_of_safeguards_are_unique() -> None:
    names = [safeguard.name for safeguard in SAFEGUARDS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("mutate", "old", "new"),
    [
        (mutations.replace("_1 - _2", "_2 - _1"), "self.total - x", "x - self.total"),
        (mutations.replace("_.count(_1, ...)", "_1"), "self.count(x, all=True)", "x"),
        (mutations.return_value("0"), "return self.total - x", "return 0"),
        (mutations.drop("raise ValueError(_)"), "raise ValueError('none')", "pass"),
        (mutations.drop("_._(_, ...)"), "self.count(x, all=True)", "pass"),
        (mutations.drop_element("('a', ...)"), "[('a', 1), ('b', 2)]", "[('b', 2)]"),
        (mutations.drop_named("all"), "self.count(x, all=True)", "self.count(x)"),
        (mutations.never(), "if x is None", "if False"),
        (mutations.always("None"), "if x is None", "if True"),
        (mutations.unwrap(), "with self.lock", "if True"),
        (mutations.drop_finally(), "self.close()", "pass"),
    ],
)
def test_a_mutation_changes_one_place(mutate: Mutation, old: str, new: str) -> None:
    original = ast.unparse(mutations.definition(ast.parse(SOURCE), "A.f"))
    assert original.count(old) == 1
    assert mutated("A.f", mutate) == original.replace(old, new)


def test_text_inside_a_constant_is_replaced() -> None:
    assert mutated("TEXT", mutations.replace_text("SELECT 2", "")) == "TEXT: str = 'SELECT 1; '"


@pytest.mark.parametrize(
    ("name", "mutate"),
    [
        ("A.f", mutations.replace("_ + _", "0")),
        ("A.f", mutations.replace("self", "None")),
        ("A.f", mutations.drop("_.open()")),
        ("A.f", mutations.never("_ is not None")),
        ("TEXT", mutations.replace_text("SELECT", "")),
    ],
)
def test_a_pattern_must_match_exactly_once(name: str, mutate: Mutation) -> None:
    with pytest.raises(MutationError, match="times"):
        mutated(name, mutate)


@pytest.mark.parametrize("name", ["A.g", "B.f", "f", "TEXT.f"])
def test_a_name_without_a_definition_is_an_error(name: str) -> None:
    with pytest.raises(MutationError, match="0 definitions"):
        mutated(name, mutations.never())


@pytest.mark.parametrize("target", ["spool:_write", "no.such.module:f"])
def test_a_mutation_without_effect_is_an_error(target: str) -> None:
    with pytest.raises(MutationError):
        Safeguard("none", target, mutations.replace("os.fsync", "os.fsync"), ()).mutant(parts.ROOT)
