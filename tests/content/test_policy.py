"""What may come in, and as what it goes out."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

import file
from content.filenames import display_name
from content.policy import check_allowed, safe_headers
from lifecycle import queries
from problems import FilenameTooLong, TypeNotAllowed
from services import current_services
from tests.conftest import drain
from tests.fakes import FORM, form, part

MODES = ["normal", "async", "celery"]
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0"
PAGE = b"<!DOCTYPE html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
GIF_AND_SCRIPT = b"GIF89a/*" + bytes(20) + b"*/=1;alert(1);"
PROGRAM = b"MZ\x90\0" + bytes(60) + b"PE\0\0"


@pytest.mark.parametrize(
    ("detected", "allowed", "denied", "admitted"),
    [
        ("text/html", (), (), True),
        ("image/png", ("image/*",), (), True),
        ("image/png", ("image/png", "text/plain"), (), True),
        ("image/png", ("image/jpeg",), (), False),
        ("image/svg+xml", ("image/*",), ("image/svg+xml",), False),
        ("text/html", (), ("text/*",), False),
        ("image/png", (), ("text/*", "image/svg+xml"), True),
        ("application/octet-stream", ("image/*",), (), False),
        ("image/png", ("image",), (), False),
        ("imagex/png", ("image/*",), (), False),
        ("audio/x-wav", ("audio/wav",), (), True),
        ("image/jpeg", ("image/jpg",), (), True),
        ("text/xml", (), ("application/xml",), False),
        ("font/woff2", ("application/font-woff2",), (), True),
    ],
)
def test_the_detected_type_decides_what_is_allowed(
    detected: str, allowed: tuple[str, ...], denied: tuple[str, ...], admitted: bool
) -> None:
    if admitted:
        check_allowed(detected, "image/png", allowed, denied)
    else:
        with pytest.raises(TypeNotAllowed) as refused:
            check_allowed(detected, "image/png", allowed, denied)
        fields = refused.value.fields
        assert (fields["detected_type"], fields["declared_type"]) == (detected, "image/png")


@pytest.mark.parametrize(
    ("allowed", "denied", "detail", "denied_type"),
    [
        (("image/*", "application/pdf"), (), "which is not accepted. Accepted: image/*, application/pdf.", None),
        ((), ("text/*",), "which is denied (text/*).", "text/*"),
        (
            ("text/*",),
            ("text/html", "text/plain"),
            "which is denied (text/plain). Accepted: text/*.",
            "text/plain",
        ),
    ],
)
def test_a_rejection_lists_the_accepted_types(
    allowed: tuple[str, ...], denied: tuple[str, ...], detail: str, denied_type: str | None
) -> None:
    with pytest.raises(TypeNotAllowed) as refused:
        check_allowed("text/plain", "text/csv", allowed, denied)

    assert refused.value.detail == f"The file's bytes are text/plain, {detail}"
    assert refused.value.fields["allowed_types"] == list(allowed)
    assert refused.value.fields["denied_type"] == denied_type


def test_a_rejection_lists_at_most_twenty_types() -> None:
    allowed = tuple(f"image/x-{number}" for number in range(2000))
    with pytest.raises(TypeNotAllowed) as refused:
        check_allowed("text/plain", "", allowed, ())

    assert refused.value.detail is not None
    assert refused.value.detail.endswith("image/x-18, image/x-19 and 1980 more.")
    assert len(refused.value.detail) < 400


@pytest.mark.parametrize(
    "kind",
    [
        "application/pdf", "image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff",
        "image/webp", "image/x-icon", "audio/mpeg", "audio/x-wav", "video/mp4", "video/webm",
    ],
)  # fmt: skip
def test_safe_types_are_inline(kind: str) -> None:
    assert safe_headers("a.bin", kind) == (kind, 'inline; filename="a.bin"')


@pytest.mark.parametrize(
    "kind",
    [
        None, "text/html", "image/svg+xml", "application/postscript", "application/x-shockwave-flash", "text/xml",
        "application/xml", "application/xhtml+xml", "application/mathml+xml", "text/cache-manifest", "text/javascript",
        "application/javascript", "text/plain", "text/x-php", "application/zip", "image/heic", "videos", "text/video",
    ],
)  # fmt: skip
def test_other_types_are_attachments(kind: str | None) -> None:
    assert safe_headers("a.png", kind) == ("application/octet-stream", 'attachment; filename="a.png"')


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("report.pdf", 'filename="report.pdf"'),
        ("my report.pdf", "filename=\"my_report.pdf\"; filename*=UTF-8''my%20report.pdf"),
        ('a"b.txt', "filename=\"ab.txt\"; filename*=UTF-8''a%22b.txt"),
        ("a\\b.txt", "filename=\"ab.txt\"; filename*=UTF-8''a%5Cb.txt"),
        ("a;b=c.txt", "filename=\"abc.txt\"; filename*=UTF-8''a%3Bb%3Dc.txt"),
        ("100%41.txt", "filename=\"10041.txt\"; filename*=UTF-8''100%2541.txt"),
        ("it's (1)*.txt", "filename=\"its_1.txt\"; filename*=UTF-8''it%27s%20%281%29%2A.txt"),
        ("文档.pdf", "filename=\"file.pdf\"; filename*=UTF-8''%E6%96%87%E6%A1%A3.pdf"),
        ("a\r\nSet-Cookie: x", "filename=\"a_Set-Cookie_x\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x"),
        ("=cmd()|'<img onerror>'.csv", None),
        ("文" * 85, None),
        ("x" * 255, None),
    ],
)
def test_a_name_comes_back_as_it_was_sent_and_breaks_no_header(name: str, header: str | None) -> None:
    disposition = safe_headers(name, None)[1]

    assert header is None or disposition == f"attachment; {header}"
    assert parse_options_header(disposition) == ("attachment", {"filename": name})
    assert disposition.isascii()
    assert disposition.isprintable()


@given(st.text(max_size=80))
def test_no_name_that_can_be_sent_breaks_a_header(sent: str) -> None:
    try:
        name = display_name(sent)
    except FilenameTooLong:
        return
    disposition = safe_headers(name, "image/png")[1]

    assert disposition.isascii()
    assert disposition.isprintable()
    if name:
        assert parse_options_header(disposition) == ("inline", {"filename": name})


def send(client: FlaskClient, mode: str, body: bytes, declared: str = "image/png", **headers: str):  # type: ignore[no-untyped-def]
    data = form(part("file", body, "x.jpg.php", declared))
    return client.post(f"/{mode}_upload", data=data, content_type=FORM, headers=headers)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("body", "detected", "content_type", "how"),
    [
        (PNG, "image/png", "image/png", "inline"),
        (PAGE, "text/html", "application/octet-stream", "attachment"),
        (SVG, "image/svg+xml", "application/octet-stream", "attachment"),
        (PROGRAM, "application/x-msdownload", "application/octet-stream", "attachment"),
        (GIF_AND_SCRIPT, "image/gif", "image/gif", "inline"),
        (b"", "application/octet-stream", "application/octet-stream", "attachment"),
    ],
)
def test_an_object_is_served_with_safe_headers_whatever_was_declared(
    client: FlaskClient, mode: str, body: bytes, detected: str, content_type: str, how: str
) -> None:
    """B27, B28: declared a picture."""
    id = send(client, mode, body).get_json()["id"]
    drain(client.application)

    row = queries.get(id)
    assert row is not None
    assert (row.content_type, row.detected_type) == ("image/png", detected)
    assert client.get(f"/files/{id}").get_json()["detected_type"] == detected
    assert current_services().storage.headers == {row.key: (content_type, f'{how}; filename="x.jpg.php"')}  # type: ignore[attr-defined]


def test_a_file_without_a_detected_type_is_an_attachment(app: Flask) -> None:
    """A row from before there was a detected type."""
    row = file.new_file("a.png", "image/png", "async")
    file.receive(row, iter([PNG]))
    file.upload_file(row.id)

    assert current_services().storage.headers == {  # type: ignore[attr-defined]
        row.key: ("application/octet-stream", 'attachment; filename="a.png"')
    }


class TestPolicy:
    """Pictures but SVG are allowed."""

    @pytest.fixture
    def settings(self, settings: dict[str, str]) -> dict[str, str]:
        return settings | {"ALLOWED_TYPES": "image/*, text/html", "DENIED_TYPES": "image/svg+xml,TEXT/*"}

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(
        ("body", "detected"),
        [
            (PAGE, "text/html"),
            (SVG, "image/svg+xml"),
            (PROGRAM, "application/x-msdownload"),
            (b"PK\3\4" + bytes(60), "application/zip"),
            (b"", "application/octet-stream"),
        ],
    )
    def test_a_file_of_a_denied_type_leaves_nothing(
        self, client: FlaskClient, mode: str, body: bytes, detected: str
    ) -> None:
        """B27, B29: no row, no object, no byte in the spool."""
        answer = send(client, mode, body)
        drain(client.application)

        problem = answer.get_json()
        assert (answer.status_code, problem["type"]) == (415, "/problems/type-not-allowed")
        assert (problem["detected_type"], problem["declared_type"]) == (detected, "image/png")
        assert (
            list(queries.page(None, 1)),
            list(current_services().storage.list_objects()),
            list(current_services().spool.files()),
        ) == (
            [],
            [],
            [],
        )

    @pytest.mark.parametrize("mode", MODES)
    def test_a_file_is_rejected_before_its_end(self, client: FlaskClient, mode: str) -> None:
        """Its form never ends, and nobody finds out."""
        data = form(part("file", PAGE + b"x" * (2 << 20), "a.png"))[:-20]
        answer = client.post(f"/{mode}_upload", data=data, content_type=FORM)

        assert answer.status_code == 415

    @pytest.mark.parametrize("declared", ["image/png", "text/html", "", "application/zip"])
    def test_the_declared_type_is_ignored(self, client: FlaskClient, declared: str) -> None:
        assert send(client, "async", PNG, declared).status_code == 202

    def test_a_rejected_file_uses_no_idempotency_key(self, client: FlaskClient) -> None:
        assert send(client, "async", PAGE, **{"Idempotency-Key": "k"}).status_code == 415
        assert send(client, "async", PNG, **{"Idempotency-Key": "k"}).status_code == 202
