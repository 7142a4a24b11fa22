"""Lossless decoding of filenames: UTF-8, RFC 8187 and RFC 2047. Pure rules in linear time.

A byte that is invalid in its charset raises BadEncoding: a name without that letter would be another name.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from problems import BadEncoding

_CODECS = {
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "ascii", "ascii": "ascii", "iso-8859-1": "cp1252",
    "latin1": "cp1252", "koi8-r": "koi8_r", "koi8-u": "koi8_u", "shift_jis": "cp932", "iso-2022-jp": "iso2022_jp",
    "euc-jp": "euc_jp", "gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "big5": "big5",
    "euc-kr": "cp949", **{f"windows-{page}": f"cp{page}" for page in range(1250, 1259)},
    **{f"iso-8859-{part}": f"iso8859_{part}" for part in (*range(2, 12), *range(13, 17))},
}  # fmt: skip
"""Python codec by charset name. As in the WHATWG Encoding Standard, ISO-8859-1 is decoded as windows-1252, which has
letters instead of control characters. Only codecs with linear time: punycode has not."""

_PARAMETER = re.compile(r'(?s);[ \t]*+([^\s=;"]++)[ \t]*+=[ \t]*+("(?:\\.|[^"\\])*+[\\"]?|[^;]*+)')
"""A parameter; an unclosed quoted string extends to the end. Possessive quantifiers: one pass."""

_EXTENDED = re.compile(r"([\w!#$%&+^`{}~.-]*)'[\w-]*'(.*)", re.ASCII | re.DOTALL)
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_WORD = re.compile(r"=\?([^?\s]{1,40})\?([A-Za-z])\?([^?]*+)\?=")
_BETWEEN_WORDS = re.compile(r"(?<=\?=)\s++(?==\?)")


def part_filename(disposition: str, filename: str | None) -> str | None:
    """Return the filename in a part's Content-Disposition; None without one. Raises BadEncoding.

    Both arguments are bytes decoded as Latin-1; `filename` is the value of that parameter. `filename*` takes precedence
    (RFC 6266 §4.3). One without the form charset'language'value is ignored if there is a `filename` (RFC 8187 §3.2).
    """
    extended = [value for name, value in _PARAMETER.findall(disposition) if name.lower() == "filename*"]
    if extended and (name := _extended(extended[0])) is not None:
        return name
    if extended and filename is None:
        raise BadEncoding("filename* is charset'language'value, percent-encoded (RFC 8187).")
    return None if filename is None else decode_encoded_words(_text(filename.encode("latin-1"), "utf-8"))


def check_query(query: bytes) -> None:
    """Raise BadEncoding if a query is not UTF-8, percent-encoded or raw."""
    if not query.isascii() or b"%" in query:
        _text(unquote_to_bytes(query), "utf-8")


def check_path(path: str) -> None:
    """Raise BadEncoding if a WSGI path (PEP 3333: bytes decoded as Latin-1) is not UTF-8."""
    _text(path.encode("latin-1"), "utf-8")


def decode_encoded_words(text: str) -> str:
    """Decode the encoded words of RFC 2047. Raises BadEncoding if one is malformed."""
    if "=?" not in text:
        return text
    text = _BETWEEN_WORDS.sub("", text)
    return "".join(_segments(text))


def _segments(text: str) -> Iterator[str]:
    """Yield the decoded words and the text between them. Adjacent words of one charset may share a character."""
    end, charset, raw = 0, "utf-8", b""
    for match in _WORD.finditer(text):
        if match.start() > end or match[1].lower() != charset:
            yield _decode(raw, charset)
            yield text[end : match.start()]
            raw = b""
        end, charset, raw = match.end(), match[1].lower(), raw + _decode_word(match[2].lower(), match[3])
    yield _decode(raw, charset)
    yield text[end:]


def _decode_word(encoding: str, text: str) -> bytes:
    try:
        if encoding == "q":
            return binascii.a2b_qp(text.encode("latin-1"), header=True)
        if encoding == "b":
            return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        pass
    raise BadEncoding("An encoded word in the filename can't be decoded (RFC 2047).")


def _extended(value: str) -> str | None:
    """Return the value of `filename*`, which some clients quote; None if it has another form."""
    match = _EXTENDED.fullmatch(value.strip().strip('"'))
    if match is None:
        return None
    raw = match[2].encode("latin-1")
    if _BROKEN_ESCAPE.search(raw):
        raise BadEncoding("filename* has a % that is not followed by two hexadecimal digits.")
    return decode_encoded_words(_decode(unquote_to_bytes(raw), match[1].lower()))


def _decode(raw: bytes, charset: str) -> str:
    # RFC 2231 §5: a word may name its language after the charset.
    codec = _CODECS.get(charset.partition("*")[0])
    if codec is None:
        raise BadEncoding(f"The charset {charset[:40]!r} of the filename is unknown. Send it as UTF-8.")
    return _text(raw, codec)


def _text(raw: bytes, codec: str) -> str:
    try:
        return raw.decode(codec)
    except UnicodeDecodeError as error:
        raise BadEncoding(f"Byte {error.start} is not valid in {error.encoding}. Send names in UTF-8.") from error
