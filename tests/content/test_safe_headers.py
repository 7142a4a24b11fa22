"""Content-Type and Content-Disposition of stored files: browsers open safe types only."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

import file
from content.filenames import display_name
from content.policy import safe_headers
from lifecycle import queries
from problems import FilenameTooLong
from services import current_services
from tests.conftest import drain
from tests.content.uploads import MODES, PAGE, PNG, PROGRAM, SVG, send
from tests.harness.factories import pending_file

GIF_AND_SCRIPT = b"GIF89a/*" + bytes(20) + b"*/=1;alert(1);"


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
def test_content_disposition_carries_the_exact_name(name: str, header: str | None) -> None:
    disposition = safe_headers(name, None)[1]

    assert header is None or disposition == f"attachment; {header}"
    assert parse_options_header(disposition) == ("attachment", {"filename": name})
    assert disposition.isascii()
    assert disposition.isprintable()


@given(st.text(max_size=80))
def test_no_name_breaks_the_header(sent: str) -> None:
    try:
        name = display_name(sent)
    except FilenameTooLong:
        return
    disposition = safe_headers(name, "image/png")[1]

    assert disposition.isascii()
    assert disposition.isprintable()
    if name:
        assert parse_options_header(disposition) == ("inline", {"filename": name})


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
def test_the_declared_type_does_not_change_the_safe_headers(
    client: FlaskClient, mode: str, body: bytes, detected: str, content_type: str, how: str
) -> None:
    """All are declared as image/png."""
    id = send(client, mode, body).get_json()["id"]
    drain(client.application)

    row = queries.get(id)
    assert row is not None
    assert (row.content_type, row.detected_type) == ("image/png", detected)
    assert client.get(f"/files/{id}").get_json()["detected_type"] == detected
    assert current_services().storage.headers == {row.key: (content_type, f'{how}; filename="x.jpg.php"')}  # type: ignore[attr-defined]


def test_a_file_without_a_detected_type_is_an_attachment(app: Flask) -> None:
    """As rows of the first version have none."""
    row = pending_file(body=PNG, name="a.png", content_type="image/png")
    file.upload_file(row.id)

    assert current_services().storage.headers == {  # type: ignore[attr-defined]
        row.key: ("application/octet-stream", 'attachment; filename="a.png"')
    }
