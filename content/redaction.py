"""Redaction of text for logs and problems: tokens, passwords, query strings, signatures. Pure rules.

Every pattern takes linear time: clients choose much of what is logged.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

UNPREFIXED_KEY = r"([0-9a-f]{12})_[A-Za-z0-9_-]{43}"
"""The token of an API key without its prefix `ferry_`. The group is the public id of the key."""


def _any_spelling(*letters: str) -> str:
    """Return a pattern for one of the letters in either case, plain or percent-encoded any number of times."""
    codes = "|".join(f"{ord(case):02x}" for letter in letters for case in sorted({letter, letter.upper()}))
    return f"(?:[{''.join(letters)}]|%(?:25)*(?:{codes}))"


_HEX = _any_spelling(*"0123456789abcdef")
_DELIMITER = r"\s/?#&'\"<>,;:()\[\]{}|\\`"
_START = "".join(_any_spelling(letter) for letter in "ferry_")
_TOKEN = re.compile(f"(?i){_START}({_HEX}{{12}}){_any_spelling('_')}[^{_DELIMITER}]+")
"""A token (see `auth.api_keys`) or the start of a truncated one, up to the next delimiter."""
_TOKEN_WITHOUT_PREFIX = re.compile(rf"(?<![0-9a-f]){UNPREFIXED_KEY}")

_NAMED = r"(?:passw(?:or)?d|secret|signature|credential|security-token)[\w-]{0,40}['\"]?\s{0,4}[=:]\s{0,4}"
_SECRETS = (
    ("?", re.compile(r"(?<=[\w./~*-])\?[^\s'\"]+"), "?…"),  # a query string
    ("@", re.compile(r"(?<=://)(?:[^\s/@'\"]*@)+"), "…@"),  # user and password of a URL
    ("bearer basic", re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 …"),
    ("authorization", re.compile(r"(?i)(\bauthorization['\"]?\s*[:=]\s*).+"), r"\1…"),
    (
        "passw secret signature credential security-token",
        re.compile(rf"(?i)({_NAMED})(?:'[^']*'|\"[^\"]*\"|[^\s&,;'\"]+)"),
        r"\1…",
    ),
    ("akia asia", re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"), r"\1…"),  # an AWS access key id
)
"""Words of which the text must contain one, pattern, replacement."""

_SECRETS_BY_WORD = tuple(
    (word, pattern, replacement) for words, pattern, replacement in _SECRETS for word in words.split()
)
"""One word each: the search for words is cheap, and nearly every text contains none of them."""


def redact_secrets(text: str) -> str:
    """Replace tokens, passwords, query strings, signatures and Authorization values by `…`."""
    lower = text.lower()
    for word, pattern, replacement in _SECRETS_BY_WORD:
        if word in lower:
            text = pattern.sub(replacement, text)
    return redact_tokens(text)


def redact_tokens(text: str) -> str:
    """Replace each API key's token by `ferry_<id>_…`, also if it is percent-encoded."""
    if "%" in text or "ferry" in text.lower():
        text = _TOKEN.sub(lambda match: f"ferry_{_decode_id(match[1])}_…", text)
    return _TOKEN_WITHOUT_PREFIX.sub(r"\1_…", text) if "_" in text else text


def _decode_id(id: str) -> str:
    return unquote(re.sub("%(?:25)*", "%", id)).lower()
