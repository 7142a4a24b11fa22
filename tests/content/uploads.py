"""Uploads whose declared type differs from their bytes, in every mode."""

from __future__ import annotations

from flask.testing import FlaskClient

from tests.fakes import FORM, form, part

MODES = ["normal", "async", "celery"]
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0"
PAGE = b"<!DOCTYPE html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
PROGRAM = b"MZ\x90\0" + bytes(60) + b"PE\0\0"


def send(client: FlaskClient, mode: str, body: bytes, declared: str = "image/png", **headers: str):  # type: ignore[no-untyped-def]
    data = form(part("file", body, "x.jpg.php", declared))
    return client.post(f"/{mode}_upload", data=data, content_type=FORM, headers=headers)
