"""What must not be written down, in any text: tokens, passwords, query strings, signatures. Pure rules.

Each pattern takes time in proportion to the text's length: clients choose much of what is logged.
"""

from __future__ import annotations

import re
from urllib.parse import unquote


def _spelled(*letters: str) -> str:
    """A pattern of one of these, in either case, as itself or percent-encoded, however often that was done again."""
    codes = "|".join(f"{ord(case):02x}" for letter in letters for case in sorted({letter, letter.upper()}))
    return f"(?:[{''.join(letters)}]|%(?:25)*(?:{codes}))"


_HEX = _spelled(*"0123456789abcdef")
_DELIMITER = r"\s/?#&'\"<>,;:()\[\]{}|\\`"
_START = "".join(_spelled(letter) for letter in "ferry_")
_TOKEN = re.compile(f"(?i){_START}({_HEX}{{12}}){_spelled('_')}[^{_DELIMITER}]+")
"""A token (`keys.id_in`), or what is left of one that was cut. All up to the next delimiter goes with it."""
_TOKEN_WITHOUT_ITS_START = re.compile(r"(?<![0-9a-f])([0-9a-f]{12})_[\w-]{43}", re.ASCII)

_NAMED = r"(?:passw(?:or)?d|secret|signature|credential|security-token)[\w-]{0,40}['\"]?\s{0,4}[=:]\s{0,4}"
_SECRETS = (
    ("?", re.compile(r"(?<=[\w./~*-])\?[^\s'\"]+"), "?…"),  # a query string
    ("@", re.compile(r"(?<=://)(?:[^\s/@'\"]*@)+"), "…@"),  # who, and with what password
    ("bearer basic", re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 …"),
    ("authorization", re.compile(r"(?i)(\bauthorization['\"]?\s*[:=]\s*).+"), r"\1…"),
    (
        "passw secret signature credential security-token",
        re.compile(rf"(?i)({_NAMED})(?:'[^']*'|\"[^\"]*\"|[^\s&,;'\"]+)"),
        r"\1…",
    ),
    ("akia asia", re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"), r"\1…"),  # an access key's id at AWS
)
"""Words of which one has to be there, what is to go, and what takes its place. Looking for words costs little."""


def redact_secrets(text: str) -> str:
    """`text` without tokens, passwords, query strings, signatures and the values of Authorization."""
    small = text.lower()
    for words, pattern, instead in _SECRETS:
        if any(word in small for word in words.split()):
            text = pattern.sub(instead, text)
    return redact_tokens(text)


def redact_tokens(text: str) -> str:
    """`text` with `ferry_<id>_…` in place of each token of an API key, however it is percent-encoded."""
    if "%" in text or "ferry" in text.lower():
        text = _TOKEN.sub(lambda found: f"ferry_{_decoded(found[1])}_…", text)
    return _TOKEN_WITHOUT_ITS_START.sub(r"\1_…", text) if "_" in text else text


def _decoded(id: str) -> str:
    return unquote(re.sub("%(?:25)*", "%", id)).lower()
