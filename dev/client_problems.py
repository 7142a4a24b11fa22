"""Print the client's exception classes: `python -m dev.client_problems > client/ferry_client/problems.py`.

The client is installed without Ferry and can't import them. Generated source is visible to type checkers.
"""

from __future__ import annotations

import inspect

import storage  # noqa: F401  registers its errors as problems
from problems import Problem, all_problems

_HEAD = '''"""One exception class for each kind of problem. Generated from the server's problems.py."""

from ferry_client.errors import FerryError
'''
_FOOT = """
KINDS: dict[str, type[FerryError]] = {
    kind.slug: kind for kind in FerryError.__subclasses__() if kind.__module__ == __name__
}
"""


def page() -> str:
    """Return the module's source."""
    kinds = "".join(_class(slug, kind) for slug, kind in sorted(all_problems().items()))
    return f"{_HEAD}{kinds}\n{_FOOT}"


def _class(slug: str, kind: type[Problem]) -> str:
    name = "InternalError" if kind is Problem else kind.__name__
    return f'\n\nclass {name}(FerryError):\n    """{inspect.cleandoc(kind.__doc__ or "")}"""\n\n    slug = "{slug}"\n'


if __name__ == "__main__":
    print(page(), end="")
