"""One file out of a request, whether it came in a form or as a raw body."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from flask import Request

from api.chunked_uploads import check_not_chunked
from api.upload_request.filename import HOW_TO_NAME, declared_names, resolve_name
from api.upload_request.form import MAX_FIELDS_BYTES, read_form
from api.upload_request.parser import MAX_OVERHEAD
from content.sniffing import SNIFF_BYTES, UNKNOWN, detect
from problems import LengthRequired, MissingFilename, TooLarge, UnsupportedMediaType
from server.body import iter_body


@dataclass(frozen=True)
class IncomingFile:
    """One file on its way in."""

    name: str
    content_type: str
    """What the client declares."""
    max_bytes: int | None
    """The most bytes that can come, if the request announced its length."""
    stream: Iterator[bytes]
    detected_type: str = UNKNOWN
    """What the file's first bytes say."""
    client: str = ""
    """The name of the client whose share of the spool it takes while it comes in."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """`expires_in` and `idempotency_key` from form fields in front of the file, as text."""


def parse(request: Request, limit: int, path: str | None = None) -> IncomingFile:
    """Open the one file of `request`, of at most `limit` bytes. Reads only the pieces that hold its first bytes.

    `path` is the file's name in the request's path. A body of any type but multipart/form-data is the file itself.
    Raises a Problem for a request without an acceptable file. Reading the stream raises IncompleteBody, TooLarge,
    what read_form raises if the rest is invalid; for a file so small that the rest has come along with it, they are
    raised here.
    """
    check_not_chunked(request.headers, request.args.items(multi=True))
    _check_framing(request)
    is_form, length = _is_form(request), request.content_length
    if length is not None and length > limit + (MAX_OVERHEAD if is_form else 0):
        raise _too_large(limit)
    disposition = request.headers.get("Content-Disposition", "")
    names = declared_names(path, request.environ["PATH_INFO"], request.args.get("name", ""), disposition)
    agreed = resolve_name(names)
    sent = _from_form(request, names) if is_form else _from_body(request, agreed)
    return _sniffed(replace(sent, stream=_limited(sent.stream, limit)))


def min_file_size(request: Request) -> int:
    """The fewest bytes that the file of this request can have, by the announced length: 0 if there is none."""
    overhead = MAX_OVERHEAD + MAX_FIELDS_BYTES if _is_form(request) else 0
    return max((request.content_length or 0) - overhead, 0)


def media_type(declared: str) -> str:
    """`type/subtype` in lower case (RFC 9110 §8.3.1); application/octet-stream for all else, and for a missing one."""
    declared = declared.strip().lower()
    usable = re.fullmatch(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}", declared)
    return declared if usable else UNKNOWN


def _is_form(request: Request) -> bool:
    return request.mimetype == "multipart/form-data"


def _check_framing(request: Request) -> None:
    """Raise LengthRequired for a body of unknown end, UnsupportedMediaType for a compressed one."""
    transfer = request.headers.get("Transfer-Encoding", "").strip().lower()
    if request.content_length is None and not transfer:
        raise LengthRequired
    if "Content-Encoding" in request.headers or transfer not in ("", "chunked"):
        raise UnsupportedMediaType("A compressed body is not accepted: its bytes would not be the file's.")


def _from_body(request: Request, name: str | None) -> IncomingFile:
    if name is None:
        raise MissingFilename(HOW_TO_NAME)
    return IncomingFile(name, media_type(request.mimetype), request.content_length, iter_body(request))


def _from_form(request: Request, names: Iterable[tuple[str, str]]) -> IncomingFile:
    form = read_form(request, iter_body(request), names)
    length = request.content_length
    return IncomingFile(form.name, media_type(form.content_type), length, form.stream, settings=form.settings)


def _limited(stream: Iterator[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for chunk in stream:
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        yield chunk


def _sniffed(sent: IncomingFile) -> IncomingFile:
    """`sent` with the type of its first bytes. The pieces that they came in are the stream's first again, uncopied."""
    pieces, head = [], b""
    for piece in sent.stream:
        pieces.append(piece)
        head += piece[: SNIFF_BYTES - len(head)]
        if len(head) == SNIFF_BYTES:
            break
    return replace(sent, detected_type=detect(head), stream=chain(pieces, sent.stream))


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"At most {limit} bytes are accepted.", max_bytes=limit)
