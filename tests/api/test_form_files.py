"""Forms as browsers, uploaders and programs send them: exactly one part is the file."""

from __future__ import annotations

import pytest

from problems import MissingFile, MissingFilename, Problem, TooManyFiles, UnexpectedFile, UnsupportedMediaType
from tests.api.forms import FILE
from tests.fakes import form, part
from tests.wsgi import parse_upload

NOTHING_CHOSEN = part("file", b"", "", "application/octet-stream")
SIZES = pytest.mark.parametrize("sizes", [[1 << 20], [1]], ids=["at once", "byte by byte"])


@pytest.mark.parametrize(
    "field", ["file", "file[]", "file[0]", "file[99999999]", "files", "files[]", "files[0]", "filepond"]
)
@SIZES
def test_the_file_field_may_have_any_usual_name(field: str, sizes: list[int]) -> None:
    sent, body = parse_upload(form(part(field, b"content", "a.txt")), sizes=sizes)

    assert (sent.name, body) == ("a.txt", b"content")


@pytest.mark.parametrize(
    "field", ["File", "file[a]", "file[0][1]", "file[", "file[]x", "file[-1]", "filepond[]", "filer", "upload", ""]
)
def test_a_file_in_another_field_is_refused_with_the_field_to_use(field: str) -> None:
    with pytest.raises(UnexpectedFile, match="Send it in the field 'file'"):
        parse_upload(form(part(field, b"content", "a.txt")))


TEXTS = {
    "FilePond": [part("filepond", b"{}"), part("filepond", b"content", "a.txt")],
    "FilePond named file": [part("file", b"{}"), FILE],
    "a hidden empty field": [part("file", b""), FILE],
    "metadata after": [FILE, part("file", b"{}")],
    "metadata around": [part("file", b"{}"), FILE, part("files[]", b"2")],
    "an empty file input": [NOTHING_CHOSEN, FILE],
    "an empty file input after the file": [FILE, NOTHING_CHOSEN],
    "an empty file input of another name": [part("photo", b"", ""), FILE],
    "a type but no filename": [part("file", b"{}", content_type="application/json"), FILE],
    "Uppy": [part("relativePath", b"null"), part("name", b"a.txt"), part("type", b"text/plain"), FILE],
}


@pytest.mark.parametrize("row", TEXTS)
@SIZES
def test_a_part_without_a_filename_is_a_text_field(row: str, sizes: list[int]) -> None:
    sent, body = parse_upload(form(*TEXTS[row]), sizes=sizes)

    assert (sent.name, body) == ("a.txt", b"content")


MIXED = part("file", b"--b\r\n\r\nx\r\n--b--", content_type="multipart/mixed; boundary=b")
NO_FILE: dict[str, tuple[list[bytes], type[Problem], str]] = {
    "text alone": ([part("file", b"README.md")], MissingFilename, "curl: -F file=@name, not file=name"),
    "empty text alone": ([part("file", b"")], MissingFilename, "no filename"),
    "long text": ([part("file", b"x" * 70_000)], MissingFilename, "no filename"),
    "an empty file input and text": ([NOTHING_CHOSEN, part("file", b"{}")], MissingFilename, "no filename"),
    "text and an empty file input": ([part("file", b"{}"), NOTHING_CHOSEN], MissingFilename, "no filename"),
    "an empty file input alone": ([NOTHING_CHOSEN], MissingFile, "No file was chosen"),
    "an unnamed file": ([part("file", b"x", "")], MissingFilename, "filename is empty"),
    "an unnamed file after the file": ([FILE, part("files", b"x", "")], MissingFilename, "filename is empty"),
    "other fields": ([part("a", b"1"), part("name", b"b")], MissingFile, "Send it in the field 'file'"),
    "two files": ([FILE, FILE], TooManyFiles, "one request per file"),
    "axios": ([part("file[]", b"1", "a"), part("file[]", b"2", "b")], TooManyFiles, "one request per file"),
    "Uppy bundle": ([part("files[]", b"1", "a"), part("files[]", b"2", "b")], TooManyFiles, "bundle: false"),
    "Dropzone": ([part("file[0]", b"1", "a"), part("file[1]", b"2", "b")], TooManyFiles, "uploadMultiple: false"),
    "curl -F file=@a,b": ([MIXED], TooManyFiles, "several files in one part"),
    "one in another field": ([FILE, part("photo", b"2", "b")], UnexpectedFile, "'photo'"),
}  # fmt: skip


@pytest.mark.parametrize("row", NO_FILE)
@SIZES
def test_a_form_without_exactly_one_file_is_refused_with_a_hint(row: str, sizes: list[int]) -> None:
    parts, problem, detail = NO_FILE[row]
    with pytest.raises(problem, match=detail) as refused:
        parse_upload(form(*parts), sizes=sizes if len(form(*parts)) < 9000 else [9000])
    assert type(refused.value) is problem


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "BASE64", "x-uuencode", "x" * 5000])
@pytest.mark.parametrize("place", ["file", "field before", "field after"])
def test_an_encoded_part_is_refused(encoding: str, place: str) -> None:
    head = f"Content-Transfer-Encoding: {encoding}\r\n".encode()
    parts = {
        "file": [head + FILE],
        "field before": [head + part("a", b"1"), FILE],
        "field after": [FILE, head + part("a", b"1")],
    }
    with pytest.raises(UnsupportedMediaType, match="Content-Transfer-Encoding"):
        parse_upload(form(*parts[place]))


@pytest.mark.parametrize("encoding", ["binary", "8bit", "7bit", "8BIT", ""])
def test_an_identity_transfer_encoding_is_accepted(encoding: str) -> None:
    assert parse_upload(form(f"Content-Transfer-Encoding: {encoding}\r\n".encode() + FILE))[1] == b"content"
