"""Reject requests that carry one chunk of a file, by the conventions of chunking uploaders. Pure rules.

This is not Transfer-Encoding: chunked, which is accepted.

A file must arrive in one request: a chunk mistaken for a file would be stored and reported as complete. A file sent as
a single chunk is complete and is accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from werkzeug.datastructures import Headers

from problems import ChunkedUpload

_MAX_JSON = 4096
_INDEX = ("chunkindex", "chunknumber", "chunkno", "chunknum", "chunkidx", "currentchunk", "partindex", "sliceindex")
_COUNT = (
    "totalchunks", "totalchunk", "chunkcount", "chunkscount", "chunktotal", "chunkstotal", "numchunks",
    "numberofchunks", "totalparts", "totalslices",
)  # fmt: skip
"""Endings of field names in lower case, without `-` and `_`: `dzchunkindex`, `X-Total-Chunks` …"""

_SWITCHES = {
    "dzchunkindex": "Dropzone: `chunking: false`",
    "chunk": "plupload: `chunk_size: 0`, WebUploader: `chunked: false`",
    "resumablechunknumber": "resumable.js: a `chunkSize` above the size of every file",
    "flowchunknumber": "flow.js: a `chunkSize` above the size of every file",
    "chunknumber": "simple-uploader.js: a `chunkSize` above the size of every file",
    "qqpartindex": "Fine Uploader: `chunking: {enabled: false}`",
    "chunk-index": "Syncfusion Uploader: `asyncSettings: {chunkSize: 0}`",
    "chunkindex": "bootstrap-fileinput: `enableResumableUpload: false`",
    "_chunknumber": "ng-file-upload: no `resumeChunkSize`",
    "chunkmetadata": "DevExtreme FileUploader: `chunkSize: 0`",
    "metadata": "Kendo UI Upload: no `async.chunkSize`",
    "content-range": "jQuery File Upload: no `maxChunkSize`",
    "upload-length": "FilePond: `chunkUploads: false`",
    "tus-resumable": "a tus client: Uppy's XHRUpload in place of Tus",
}
"""What to set, by the field or header that a chunk was recognised by, in lower case."""

_TYPES = ("application/offset+octet-stream", "application/partial-upload")
_PRESENT = ("Tus-Resumable", "Content-Range", "X-Content-Range", "OC-Chunked", "X-Upload-Content-Length")
"""Headers that only chunks have. In a request Content-Range is for a partial PUT (RFC 9110 §14.5)."""


def reject_file_chunk(headers: Headers, fields: Iterable[tuple[str, str]]) -> None:
    """Raise ChunkedUpload if headers, query or form fields show that the file is a chunk.

    `fields` are the query parameters and the form fields read so far. A chunk has an index, and a count above 1.
    """
    header = _chunk_header(headers)
    if header:
        raise _error(header, f"The header {header} announces a chunk of a file.")
    _check_numbers([*headers.items(), *fields])


def reject_chunk_in_part(headers: Iterable[tuple[str, str]]) -> None:
    """Raise ChunkedUpload if the headers of a form part have a Content-Range."""
    if any(name.lower() == "content-range" for name, _ in headers):
        raise _error("Content-Range", "The part has a Content-Range: it is a chunk of a file.")


def reject_chunk_parameters(names: Iterable[str]) -> None:
    """Raise ChunkedUpload for a query parameter that numbers chunks, even without the other numbers."""
    for name in names:
        normalized = _normalized(name)
        if normalized in ("chunk", "chunks") or normalized.endswith((*_INDEX, *_COUNT)):
            raise _error(name, f"The query parameter {name[:64]} belongs to a chunked upload.")


def _chunk_header(headers: Headers) -> str | None:
    """The header that marks a chunk: of tus, resumable uploads (RUFH), FilePond and others."""
    for name in _PRESENT:
        if name in headers:
            return name
    # RUFH: an upload that is complete in its first request may be handled as a plain upload.
    complete, incomplete = headers.get("Upload-Complete"), headers.get("Upload-Incomplete")
    if complete is not None and _flag(complete) != "?1":
        return "Upload-Complete"
    if incomplete is not None and _flag(incomplete) != "?0":
        return "Upload-Incomplete"
    if headers.get("Upload-Offset", "0").strip() != "0":
        return "Upload-Offset"
    if "Upload-Length" in headers and complete is None and incomplete is None:
        return "Upload-Length"
    if headers.get("X-Goog-Upload-Protocol", "").strip().lower() == "resumable":
        return "X-Goog-Upload-Protocol"
    return "Content-Type" if headers.get("Content-Type", "").partition(";")[0].strip().lower() in _TYPES else None


def _flag(value: str) -> str:
    """An RFC 9651 boolean without its parameters."""
    return value.partition(";")[0].strip()


def _check_numbers(fields: Iterable[tuple[str, str]]) -> None:
    index: tuple[str, int] | None = None
    count = size = total = 0
    for field, name, value in _numbers(fields):
        if name.endswith(_INDEX) or name == "chunk":
            index = index or (field, value)
        elif name.endswith(_COUNT) or name == "chunks":
            count = max(count, value)
        elif name.endswith("currentchunksize"):
            size = value
        elif name.endswith("totalsize"):
            total = value
    if index and (count > 1 or 0 < size < total):
        of = f" of {count}" if count > 1 else ""
        raise _error(index[0], f"The field {index[0]} marks this as chunk {index[1]}{of} of a file.")


def _numbers(fields: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str, int]]:
    """Every integer among the fields, as (field, normalized name, value)."""
    for field, text in fields:
        for key, value in _members(field, text):
            digits = str(value).strip() if isinstance(value, int | str) else ""
            if re.fullmatch(r"[0-9]{1,19}", digits):
                yield field, _normalized(key), int(digits)


def _normalized(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name[:64].lower())


def _members(field: str, text: str) -> Iterable[tuple[str, Any]]:
    """The field as a pair; for JSON metadata (Kendo UI, DevExtreme) the pairs of its members."""
    name = field.lower()
    if name not in ("metadata", "chunkmetadata") or len(text) > _MAX_JSON:
        return [(field, text)]
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(members, dict):
        return []
    # DevExtreme names them Index and TotalCount.
    renamed: dict[str, str] = {"index": "chunkindex", "totalcount": "totalchunks"} if name == "chunkmetadata" else {}
    return [(renamed.get(str(key).lower(), str(key)), value) for key, value in members.items()]


def _error(field: str, detail: str) -> ChunkedUpload:
    setting = _SWITCHES.get(field.lower())
    return ChunkedUpload(
        f"{detail} Send the whole file in one request: switch off chunked uploads in the client"
        + (f" ({setting})." if setting else ".")
    )
