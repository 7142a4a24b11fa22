"""The one file of an upload request, from a form or a raw body."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from flask import Request

from api.partial_uploads import reject_file_chunk
from api.upload_request.filename import HOW_TO_NAME, declared_names, resolve_name
from api.upload_request.form import MAX_FIELDS_BYTES, read_form
from api.upload_request.parser import MAX_OVERHEAD
from content.sniffing import SNIFF_BYTES, UNKNOWN, detect
from lifecycle.upload_source import UploadSource
from problems import LengthRequired, MissingFilename, TooLarge, UnsupportedMediaType
from server.body import iter_body


def parse(request: Request, limit: int, path_name: str | None = None) -> UploadSource:
    """Open the file of `request`, reading no further than the chunks that hold its first bytes.

    `limit` is in bytes. `path_name` is the file's name in the URL path. A body of any media type other than
    multipart/form-data is the file itself. Raises a Problem for a request without an acceptable file. Reading the
    stream raises IncompleteBody, TooLarge, and the errors of read_form if the rest of the form is invalid; a small file
    whose rest has already arrived raises them here.
    """
    reject_file_chunk(request.headers, request.args.items(multi=True))
    _check_framing(request)
    is_form, length = _is_form(request), request.content_length
    if length is not None and length > limit + (MAX_OVERHEAD if is_form else 0):
        raise _too_large(limit)
    disposition = request.headers.get("Content-Disposition", "")
    names = declared_names(path_name, request.environ["PATH_INFO"], request.args.get("name", ""), disposition)
    name = resolve_name(names)
    source = _from_form(request, names) if is_form else _from_body(request, name)
    return _sniffed(replace(source, stream=_limited(source.stream, limit), min_bytes=min_file_size(request)))


def min_file_size(request: Request) -> int:
    """Lower bound of the file's size in bytes, by Content-Length; 0 for a chunked body."""
    overhead = MAX_OVERHEAD + MAX_FIELDS_BYTES if _is_form(request) else 0
    return max((request.content_length or 0) - overhead, 0)


def media_type(declared: str) -> str:
    """`type/subtype` in lower case (RFC 9110 §8.3.1); application/octet-stream if missing or malformed."""
    declared = declared.strip().lower()
    match = re.fullmatch(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}", declared)
    return declared if match else UNKNOWN


def _is_form(request: Request) -> bool:
    return request.mimetype == "multipart/form-data"


def _check_framing(request: Request) -> None:
    """Raise LengthRequired for a body without a known end, UnsupportedMediaType for a compressed one."""
    transfer = request.headers.get("Transfer-Encoding", "").strip().lower()
    if request.content_length is None and not transfer:
        raise LengthRequired
    if "Content-Encoding" in request.headers or transfer not in ("", "chunked"):
        raise UnsupportedMediaType("A compressed body is not accepted: its bytes would not be the file's.")


def _from_body(request: Request, name: str | None) -> UploadSource:
    if name is None:
        raise MissingFilename(HOW_TO_NAME)
    return UploadSource(name, media_type(request.mimetype), request.content_length, iter_body(request))


def _from_form(request: Request, names: Iterable[tuple[str, str]]) -> UploadSource:
    form = read_form(request, iter_body(request), names)
    length = request.content_length
    return UploadSource(form.name, media_type(form.content_type), length, form.stream, options=form.options)


def _limited(stream: Iterator[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for chunk in stream:
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        yield chunk


def _sniffed(source: UploadSource) -> UploadSource:
    """Set `detected_type` from the first bytes. The chunks read for it start the new stream, without a copy."""
    chunks, head = [], b""
    for chunk in source.stream:
        chunks.append(chunk)
        head += chunk[: SNIFF_BYTES - len(head)]
        if len(head) == SNIFF_BYTES:
            break
    return replace(source, detected_type=detect(head), stream=chain(chunks, source.stream))


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"At most {limit} bytes are accepted.", max_bytes=limit)
