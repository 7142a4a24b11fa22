"""Chunked uploads are refused for every uploader, in every mode, and leave nothing."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from api.partial_uploads import reject_file_chunk
from dev.polling import eventually
from lifecycle import queries
from problems import ChunkedUpload
from services import current_services
from tests.conftest import drain
from tests.fakes import FORM, form, part

MODES = ("normal", "async", "celery")
DROPZONE = {
    "dzuuid": "5f3f", "dzchunkindex": "0", "dztotalfilesize": "5000000", "dzchunksize": "2000000",
    "dztotalchunkcount": "3", "dzchunkbyteoffset": "0",
}  # fmt: skip
KENDO = {
    "chunkIndex": 0, "contentType": "video/mp4", "fileName": "a.mp4", "totalFileSize": 9, "totalChunks": 2
}  # fmt: skip
DEVEXTREME = {"FileName": "a", "Index": 0, "TotalCount": 3, "FileSize": 9, "FileType": "", "FileGuid": "1"}

CHUNKS: dict[str, tuple[dict[str, str], str]] = {
    "Dropzone": (DROPZONE, "Dropzone: `chunking: false`"),
    "plupload": ({"name": "a", "chunk": "0", "chunks": "3"}, "plupload: `chunk_size: 0`"),
    "WebUploader": ({"id": "WU_FILE_0", "size": "9", "chunks": "3", "chunk": "2"}, "WebUploader: `chunked: false`"),
    "resumable.js": ({"resumableChunkNumber": "1", "resumableTotalChunks": "2"}, "resumable.js: a `chunkSize` above"),
    "flow.js": ({"flowChunkNumber": "2", "flowTotalChunks": "2"}, "flow.js: a `chunkSize` above"),
    "simple-uploader": ({"chunkNumber": "1", "totalChunks": "9"}, "simple-uploader.js: a `chunkSize` above"),
    "Fine Uploader": (
        {"qqpartindex": "0", "qqtotalparts": "2", "qqtotalfilesize": "9"}, "Fine Uploader: `chunking: {enabled: false}`"
    ),
    "Syncfusion": ({"chunk-index": "0", "total-chunk": "4"}, "Syncfusion Uploader: `asyncSettings: {chunkSize: 0}`"),
    "DevExtreme": ({"chunkMetadata": json.dumps(DEVEXTREME)}, "DevExtreme FileUploader: `chunkSize: 0`"),
    "Kendo": ({"metadata": json.dumps(KENDO)}, "Kendo UI Upload: no `async.chunkSize`"),
    "bootstrap-fileinput": ({"chunkCount": "2", "chunkIndex": "0"}, "`enableResumableUpload: false`"),
    "ng-file-upload": (
        {"_chunkSize": "5", "_currentChunkSize": "5", "_chunkNumber": "0", "_totalSize": "9"}, "no `resumeChunkSize`"
    ),
    "another": ({"chunk_index": "1", "total_chunks": "10"}, "switch off chunked uploads in the client."),
    "another, in camels": ({"file.chunkIndex": "1", "file.totalChunks": " 10 "}, "switch off chunked uploads"),
    "numbers in JSON as text": ({"metadata": '{"chunkIndex": "0", "totalChunks": "2"}'}, "Kendo"),
}  # fmt: skip

HEADERS: dict[str, tuple[dict[str, str], str]] = {
    "blueimp": ({"Content-Range": "bytes 0-5/3000"}, "jQuery File Upload: no `maxChunkSize`"),
    "a range that is the whole": ({"Content-Range": "bytes 0-6/7"}, "Content-Range"),
    "a range of unknown end": ({"Content-Range": "bytes 0-6/*"}, "Content-Range"),
    "a malformed range": ({"Content-Range": "x"}, "Content-Range"),
    "nginx-upload-module": ({"X-Content-Range": "bytes 0-5/3000"}, "X-Content-Range"),
    "FilePond begins": ({"Upload-Length": "3000"}, "FilePond: `chunkUploads: false`"),
    "FilePond goes on": ({"Upload-Length": "3000", "Upload-Offset": "5", "Upload-Name": "a"}, "Upload-Offset"),
    "tus": ({"Tus-Resumable": "1.0.0", "Upload-Length": "3000"}, "Uppy's XHRUpload in place of Tus"),
    "RUFH": ({"Upload-Draft-Interop-Version": "8", "Upload-Complete": "?0", "Upload-Length": "9"}, "Upload-Complete"),
    "RUFH that is malformed": ({"Upload-Complete": "yes"}, "Upload-Complete"),
    "RUFH of an early draft": ({"Upload-Draft-Interop-Version": "3", "Upload-Incomplete": "?1"}, "Upload-Incomplete"),
    "RUFH that goes on": ({"Upload-Complete": "?1", "Upload-Offset": "5"}, "Upload-Offset"),
    "huge-uploader": ({"uploader-chunk-number": "0", "uploader-chunks-total": "2"}, "uploader-chunk-number"),
    "numbers in headers": ({"X-Chunk-Index": "0", "X-Total-Chunks": "2"}, "X-Chunk-Index"),
    "Google": ({"X-Goog-Upload-Protocol": "resumable"}, "X-Goog-Upload-Protocol"),
    "uploadx": ({"X-Upload-Content-Length": "9"}, "X-Upload-Content-Length"),
    "ownCloud": ({"OC-Chunked": "1"}, "OC-Chunked"),
}

WHOLE: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "Dropzone, in one chunk": (DROPZONE | {"dztotalchunkcount": "1"}, {}),
    "plupload, in one chunk": ({"chunk": "0", "chunks": "1"}, {}),
    "plupload, an empty file": ({"chunk": "0", "chunks": "0"}, {}),
    "resumable.js, in one chunk": (
        {"resumableChunkNumber": "1", "resumableTotalChunks": "1",
         "resumableCurrentChunkSize": "7", "resumableTotalSize": "7"}, {},
    ),
    "Fine Uploader, no chunk": ({"qquuid": "1", "qqtotalfilesize": "7"}, {}),
    "DevExtreme, in one chunk": ({"chunkMetadata": json.dumps(DEVEXTREME | {"TotalCount": 1})}, {}),
    "Kendo, in one chunk": ({"metadata": json.dumps(KENDO | {"totalChunks": 1})}, {}),
    "text in chunks": ({"chunks": "of chocolate", "chunk": "1"}, {}),
    "text in chunk": ({"chunks": "5", "chunk": "of chocolate"}, {}),
    "a count alone": ({"chunks": "5"}, {}),
    "an index alone": ({"chunk": "5"}, {}),
    "signed": ({"chunk": "-1", "chunks": "+5"}, {}),
    "too many digits": ({"chunk": "0", "chunks": "9" * 5000}, {}),
    "an index in a gallery": ({"index": "2", "total": "5", "part": "1", "parts": "3"}, {}),
    "metadata of another kind": ({"metadata": '{"index": 1, "totalCount": 5, "title": "chunks"}'}, {}),
    "metadata that is a list": ({"metadata": '["chunkIndex", 5]'}, {}),
    "metadata that is no JSON": ({"metadata": "chunkIndex: 0, totalChunks: 2"}, {}),
    "metadata with truth in it": ({"metadata": '{"chunkIndex": null, "totalChunks": true, "a": {"chunks": 5}}'}, {}),
    "metadata of great depth": ({"metadata": "[" * 4000}, {}),
    "metadata of great size": ({"metadata": json.dumps(KENDO | {"x": "y" * 4096})}, {}),
    "RUFH in one request": ({}, {"Upload-Complete": "?1", "Upload-Draft-Interop-Version": "8", "Upload-Length": "7"}),
    "RUFH in one request, early draft": ({}, {"Upload-Incomplete": "?0", "Upload-Draft-Interop-Version": "3"}),
    "RUFH with a parameter": ({}, {"Upload-Complete": "?1;a=b", "Upload-Offset": "0"}),
    "a range of the answer": ({}, {"Range": "bytes=0-5"}),
}  # fmt: skip


@pytest.mark.parametrize("row", CHUNKS)
def test_fields_that_number_a_chunk_are_refused(row: str) -> None:
    fields, switch = CHUNKS[row]
    for order in (list(fields.items()), list(fields.items())[::-1]):
        with pytest.raises(ChunkedUpload) as refused:
            reject_file_chunk(Headers(), order)
        assert switch in str(refused.value)


@pytest.mark.parametrize("row", HEADERS)
def test_headers_that_announce_a_chunk_are_refused(row: str) -> None:
    headers, said = HEADERS[row]
    with pytest.raises(ChunkedUpload) as refused:
        reject_file_chunk(Headers(list(headers.items())), [])
    assert said in str(refused.value)


@pytest.mark.parametrize("row", WHOLE)
def test_a_whole_file_is_not_mistaken_for_a_chunk(row: str) -> None:
    fields, headers = WHOLE[row]
    reject_file_chunk(Headers(list(headers.items())), fields.items())


def test_one_count_among_several_is_enough() -> None:
    with pytest.raises(ChunkedUpload):
        reject_file_chunk(Headers(), [("chunks", "1"), ("chunk", "0"), ("chunks", "5")])


FILE = part("file", b"content", "a.txt", "text/plain")
LARGE = part("file", b"x" * (1 << 20), "a.txt", "text/plain")


def fields_of(row: str) -> list[bytes]:
    return [part(name, value.encode()) for name, value in CHUNKS[row][0].items()]


def send(
    client: FlaskClient, mode: str, data: bytes, *, query: dict[str, str] | None = None, **headers: str
) -> TestResponse:
    return client.post(f"/{mode}_upload", data=data, content_type=FORM, query_string=query, headers=headers)


def assert_nothing_is_stored(client: FlaskClient, answer: TestResponse) -> None:
    drain(client.application)
    problem = answer.get_json()
    assert (answer.status_code, problem["type"]) == (400, "/problems/chunked-upload")
    assert "Retry-After" not in answer.headers
    assert eventually(lambda: list(queries.page(None, 1)) == [])
    assert (list(current_services().storage.list_objects()), list(current_services().spool.files())) == ([], [])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("file", [FILE, LARGE], ids=["small", "large"])
def test_a_chunk_leaves_nothing_in_any_order_of_its_fields(client: FlaskClient, mode: str, file: bytes) -> None:
    for row in ("Dropzone", "plupload", "DevExtreme"):
        fields = fields_of(row)
        for parts in ([*fields, file], [file, *fields], [*fields[:3], file, *fields[3:]]):
            assert_nothing_is_stored(client, send(client, mode, form(*parts)))
        assert_nothing_is_stored(client, send(client, mode, form(file), query=CHUNKS[row][0]))


@pytest.mark.parametrize("mode", MODES)
def test_an_index_in_the_query_and_a_count_in_the_form_are_a_chunk(client: FlaskClient, mode: str) -> None:
    answer = send(client, mode, form(part("chunks", b"2"), FILE), query={"chunk": "0"})
    assert_nothing_is_stored(client, answer)


@pytest.mark.parametrize("mode", MODES)
def test_a_chunk_by_its_headers_is_refused_unread(client: FlaskClient, mode: str) -> None:
    for headers, _ in HEADERS.values():
        assert_nothing_is_stored(client, send(client, mode, form(LARGE)[:-20], **headers))


@pytest.mark.parametrize("mode", MODES)
def test_creating_an_upload_without_bytes_is_refused_as_chunked(client: FlaskClient, mode: str) -> None:
    """tus and FilePond send an empty body first, without a type or a length."""
    for headers in ({"Tus-Resumable": "1.0.0", "Upload-Length": "9"}, {"Upload-Length": "9"}):
        assert_nothing_is_stored(client, client.post(f"/{mode}_upload", headers=headers))


@pytest.mark.parametrize("mode", MODES)
def test_a_part_with_a_range_of_its_own_is_a_chunk(client: FlaskClient, mode: str) -> None:
    chunk = b"Content-Range: bytes 0-6/3000\r\n" + part("file", b"content", "a.txt")

    assert_nothing_is_stored(client, send(client, mode, form(chunk)))


@pytest.mark.parametrize("content_type", ["application/offset+octet-stream", "Application/Partial-Upload; x=y"])
def test_a_body_that_continues_an_upload_is_refused(client: FlaskClient, content_type: str) -> None:
    answer = client.post("/async_upload?name=a", data=b"more", content_type=content_type)
    assert_nothing_is_stored(client, answer)


@pytest.mark.parametrize("mode", MODES)
def test_a_raw_body_with_the_numbers_in_the_query_is_a_chunk(client: FlaskClient, mode: str) -> None:
    """resumable.js, `method: "octet"`."""
    query = {"name": "a", "resumableChunkNumber": "1", "resumableTotalChunks": "2"}
    answer = client.post(f"/{mode}_upload", data=b"x", content_type="video/mp4", query_string=query)
    assert_nothing_is_stored(client, answer)


@pytest.mark.parametrize("mode", MODES)
def test_a_whole_file_is_stored(client: FlaskClient, mode: str) -> None:
    for row, (fields, headers) in WHOLE.items():
        parts = [part(name, value.encode()) for name, value in fields.items()]
        answer = send(client, mode, form(*parts[:3], FILE, *parts[3:]), **headers)
        assert answer.status_code in (201, 202), row
    drain(client.application)

    assert {row.upload_status for row in queries.page(None, 100)} == {"COMPLETE"}


def test_a_refused_chunk_uses_no_idempotency_key(client: FlaskClient) -> None:
    key = {"Idempotency-Key": "k"}
    for mode in ("normal", "async"):
        assert send(client, mode, form(LARGE, *fields_of("Dropzone")), **key).status_code == 400
    assert send(client, "async", form(FILE), **key).status_code == 202
