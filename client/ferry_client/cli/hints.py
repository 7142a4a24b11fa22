"""Hints for the command line: which option or variable fixes an error. Pure rules."""

from __future__ import annotations

from ferry_client.errors import FerryError

_ADDRESS = "Set --url or FERRY_URL to the address of Ferry"

_HINTS = {
    "wrong-address": _ADDRESS,
    "wrong-proxy": "Correct or unset the variable, or name the server in no_proxy",
    "not-ferry": _ADDRESS,
    "http-404": _ADDRESS,
    "http-405": _ADDRESS,
    "redirected": "Set --url or FERRY_URL to that address",
    "unauthorized": "Set --key or FERRY_KEY",
    "scope-missing": "Set --key or FERRY_KEY to a key with this scope",
    "too-many-uploads": "Set --jobs to fewer uploads at once",
    "too-many-downloads": "Set --jobs to fewer downloads at once",
}

_DETAILS = {"unauthorized": "The server requires a known, unexpired API key"}
"""Replaces the server's detail, which names an HTTP header."""


def with_hint(error: FerryError) -> str:
    """Return the error's detail with its hint and its slug."""
    if error.slug not in _HINTS:
        return str(error)
    detail = _DETAILS.get(error.slug, error.detail).removesuffix(".")
    return f"{detail}. {_HINTS[error.slug]}. ({error.slug})"
