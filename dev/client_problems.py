"""The client's class for every kind of problem: `python -m dev.client_problems > client/ferry_client/problems.py`.

The client is installed without Ferry and so can't import them; written out, they are also known to type checkers.
"""

from __future__ import annotations

import inspect

import storage  # noqa: F401  its errors are problems too
from problems import Problem, all_problems

_HEAD = '''"""One class for every kind of problem that the server answers with. Made from Ferry's own, not by hand."""

from ferry_client.errors import FerryError
'''
_FOOT = """
KINDS: dict[str, type[FerryError]] = {
    kind.slug: kind for kind in FerryError.__subclasses__() if kind.__module__ == __name__
}
"""


def page() -> str:
    """The module's text."""
    kinds = "".join(_written(slug, kind) for slug, kind in sorted(all_problems().items()))
    return f"{_HEAD}{kinds}\n{_FOOT}"


def _written(slug: str, kind: type[Problem]) -> str:
    name = "InternalError" if kind is Problem else kind.__name__
    return f'\n\nclass {name}(FerryError):\n    """{inspect.cleandoc(kind.__doc__ or "")}"""\n\n    slug = "{slug}"\n'


if __name__ == "__main__":
    print(page(), end="")
