"""Requests that carry one chunk of a file, as chunking uploaders send them. Pure rules.

Ferry takes a file in one request: a chunk taken for a file would be stored, and reported, as a whole one. A file that
its uploader sends as a single chunk is whole, and passes.
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
"""Headers of chunks alone. In a request Content-Range is for a PUT that replaces a part (RFC 9110 §14.5)."""


def check_not_chunked(headers: Headers, fields: Iterable[tuple[str, str]]) -> None:
    """Raise ChunkedUpload if the request's headers, query or form fields so far say that its file is a chunk.

    `fields` are those of query and form. A chunk has an index, and a count above 1.
    """
    header = _chunk_header(headers)
    if header:
        raise _refusal(header, f"The header {header} announces a chunk of a file.")
    _refuse_numbered([*headers.items(), *fields])


def check_part_not_chunked(headers: Iterable[tuple[str, str]]) -> None:
    """Raise ChunkedUpload if the headers of a form's part say that it is a chunk."""
    if any(name.lower() == "content-range" for name, _ in headers):
        raise _refusal("Content-Range", "The part has a Content-Range: it is a chunk of a file.")


def check_no_chunk_parameters(names: Iterable[str]) -> None:
    """Raise ChunkedUpload for a query parameter that numbers chunks, also if it alone does not say that this is one."""
    for name in names:
        plain = _plain(name)
        if plain in ("chunk", "chunks") or plain.endswith((*_INDEX, *_COUNT)):
            raise _refusal(name, f"The query parameter {name[:64]} belongs to a chunked upload.")


def _chunk_header(headers: Headers) -> str | None:
    """The header that makes the request a chunk: of tus, IETF resumable uploads, FilePond and others."""
    for name in _PRESENT:
        if name in headers:
            return name
    # A resumable upload that fits into its first request is complete, and any server may take it for a plain one.
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
    """A boolean of RFC 9651 without its parameters."""
    return value.partition(";")[0].strip()


def _refuse_numbered(fields: Iterable[tuple[str, str]]) -> None:
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
        raise _refusal(index[0], f"The field {index[0]} says that this is the chunk {index[1]}{of} of a file.")


def _numbers(fields: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str, int]]:
    """Every whole number among the fields: the field it stands in, its name in lower case letters, the number."""
    for field, text in fields:
        for key, value in _members(field, text):
            digits = str(value).strip() if isinstance(value, int | str) else ""
            if re.fullmatch(r"[0-9]{1,19}", digits):
                yield field, _plain(key), int(digits)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name[:64].lower())


def _members(field: str, text: str) -> Iterable[tuple[str, Any]]:
    """The field itself; for the metadata that Kendo UI and DevExtreme send as JSON, its members."""
    name = field.lower()
    if name not in ("metadata", "chunkmetadata") or len(text) > _MAX_JSON:
        return [(field, text)]
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(members, dict):
        return []
    # DevExtreme's are called Index and TotalCount.
    renamed: dict[str, str] = {"index": "chunkindex", "totalcount": "totalchunks"} if name == "chunkmetadata" else {}
    return [(renamed.get(str(key).lower(), str(key)), value) for key, value in members.items()]


def _refusal(field: str, detail: str) -> ChunkedUpload:
    setting = _SWITCHES.get(field.lower())
    return ChunkedUpload(
        f"{detail} Send the whole file in one request: switch off chunked uploads in the client"
        + (f" ({setting})." if setting else ".")
    )
