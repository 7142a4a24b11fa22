"""Type detection by the first bytes: scripts, magic numbers and text, in linear time."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
import time
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.sniffing import SNIFF_BYTES, detect
from tests.content.heads import asf, box, compound, ebml, entry, frames, ftyp, movie, ogg, package


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "<content/>" * 50)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return out.getvalue()


NOISE = random.Random(7).randbytes(SNIFF_BYTES)
OFFICE = ("[Content_Types].xml", "_rels/.rels")
OOXML = "application/vnd.openxmlformats-officedocument"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0"
PE = b"MZ\x90\0" + bytes(56) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (PNG, "image/png"),
        (PNG + b"\x90wS\xde\0\0\0\x08acTL" + bytes(24) + b"IDAT", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + NOISE, "image/jpeg"),
        (b"GIF89a\1\0\1\0\x80\0\0" + NOISE, "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 " + NOISE, "image/webp"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + NOISE, "image/avif"),
        (b"II*\0\x08\0\0\0" + NOISE, "image/tiff"),
        (b"MM\0*\0\0\0\x08" + NOISE, "image/tiff"),
        (b"BM" + struct.pack("<IHHI", 9000, 0, 0, 54) + NOISE, "image/bmp"),
        (b"\0\0\1\0\1\0\x10\x10\0\0" + NOISE, "image/x-icon"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
        (b"%PDF-1.4\n1 0 obj\n", "application/pdf"),
        (b"\0\xffjunk\n" * 100 + b"%PDF-1.4\n", "application/pdf"),
        (b"some text ahead\n%PDF-1.4\n", "application/pdf"),
        (zipped("a.txt", "b.txt"), "application/zip"),
        (zipped(*OFFICE, "word/document.xml"), f"{OOXML}.wordprocessingml.document"),
        (zipped(*OFFICE, "xl/workbook.xml"), f"{OOXML}.spreadsheetml.sheet"),
        (gzip.compress(NOISE), "application/gzip"),
        (tarred(), "application/x-tar"),
        (b"7z\xbc\xaf\x27\x1c\0\4" + NOISE, "application/x-7z-compressed"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + NOISE, "video/mp4"),
        (b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + NOISE, "audio/mpeg"),
        (b"\x7fELF\2\1\1" + bytes(50), "application/x-executable"),
        (PE, "application/x-msdownload"),
        (b"\0asm\1\0\0\0", "application/wasm"),
    ],
)
def test_binary_files_are_detected_by_magic_number(head: bytes, kind: str) -> None:
    assert detect(head) == kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"<!DOCTYPE html>\n<html>", "text/html"),
        (b"   \n\t <HTML onload=alert(1)>", "text/html"),
        (b"\xef\xbb\xbf<!doctype html><p>", "text/html"),
        (b"<!-- x --><script>alert(1)</script>", "text/html"),
        (b"<script\nsrc=//evil></script>", "text/html"),
        (b"<body/onload=alert(1)>", "text/html"),
        (b"<script>alert(1)</script>" + NOISE, "text/html"),
        (b"<!DOCTYPE html><svg></svg>", "text/html"),
        ("\ufeff<script>alert(1)</script>".encode("utf-16-le"), "text/html"),
        ("\ufeff<script>alert(1)</script>".encode("utf-16-be"), "text/html"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "image/svg+xml"),
        (b'<?xml version="1.0"?><svg/>', "image/svg+xml"),
        (
            b'<?xml version="1.0"?>\n<!-- c -->\n<!DOCTYPE svg PUBLIC "-//W3C" "x" [<!ENTITY a "b">]>\n<svg>',
            "image/svg+xml",
        ),
        (b'<!-- c --><!DOCTYPE svg><x:svg xmlns:x="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', "application/xhtml+xml"),
        (b'<?xml version="1.0"?><!DOCTYPE html><html/>', "application/xhtml+xml"),
        (b'<?xml version="1.0"?><note><svg/></note>', "text/xml"),
        (b"<?php system($_GET['c']);", "text/x-php"),
        (b"#!/bin/sh\nrm -rf /\n", "text/x-script"),
        (b"%!PS-Adobe-3.0\n", "application/postscript"),
        (b"{\\rtf1\\ansi hello}", "application/rtf"),
    ],
)
def test_scripts_are_detected_in_any_surroundings(head: bytes, kind: str) -> None:
    assert detect(head) == kind


@pytest.mark.parametrize(
    "head",
    [
        b"Plain text.\n",
        "Grüße, 文字\n".encode(),
        "Grüße aus Köln\n".encode("latin-1"),
        "\ufeffhello".encode("utf-16-le"),
        ("x" * (SNIFF_BYTES - 1) + "文").encode(),
        b'{"a": [1, 2, 3]}',
        b"a,b\n1,2\n",
        b"'use strict'; alert(document.cookie);\n",
        b"# Title\n\nText with <b>html</b>.\n",
        b"#![no_std]\n",
        b"BMW is a car.\n",
        b"MZ was a text.\n",
        b"ID3 is an algorithm.\n",
        b"GIF89a=1;alert(1)//",
        b"a < b and <abbr> is no page",
    ],
)
def test_other_text_is_plain_even_if_it_starts_like_a_magic_number(head: bytes) -> None:
    assert detect(head) == "text/plain"


@pytest.mark.parametrize("head", [b"", NOISE, bytes(SNIFF_BYTES), b"\0", b"\xd0\xcf\x11\xe0"])
def test_unrecognised_bytes_are_unknown(head: bytes) -> None:
    assert detect(head) == "application/octet-stream"


def test_a_polyglot_has_the_type_of_its_magic_number() -> None:
    """Browsers do not run it: it is always served as an image."""
    assert detect(b"GIF89a/*" + bytes(20) + b"*/=1;alert(1);") == "image/gif"
    assert detect(PNG + b"<script>alert(1)</script>") == "image/png"


def test_bytes_after_the_head_are_ignored() -> None:
    assert detect(b"x" * SNIFF_BYTES + NOISE) == "text/plain"


STARTS = [
    PNG, PE, tarred(), b"<?xml?><!DOCTYPE x []>", b"FORM", b"AT&TFORM", b"RIFF", b"\x1aE\xdf\xa3\x42\x82",
    zipped(*OFFICE, "xl/a"), package("a", "b", streamed=True), compound(b"\xec\xa5\xc1\0", streams=("Workbook",)),
    ftyp(b"mif1", b"heic"), box(b"ftyp", b"iso5" + bytes(4)) + movie(b"soun"), ebml(b"webm", b"A_OPUS"), asf("sound"),
    ogg(b"\x80theora", b"\1vorbis"), frames(b"\xff\xfa\x90\x64", 417), b"ID3\3\0\0\0\0\0\0\xff\xf1\x50\x80\2\x1f\xfc",
]  # fmt: skip


@given(st.binary(max_size=200) | st.sampled_from(STARTS), st.data())
def test_any_bytes_have_a_type(head: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(head)))
    added = data.draw(st.binary(max_size=20))

    assert detect(head[:cut] + added).count("/") == 1
    assert detect(head[:cut] + added + head[cut + len(added) :]).count("/") == 1


@pytest.mark.parametrize(
    "start", [b"<!DOCTYPE", b"<?xml?><!DOCTYPE", b"<!-- --><!DOCTYPE", b"<?xml?><!DOCTYPE a", b"<svg"]
)
@pytest.mark.parametrize("blank", [b" ", b"\n", b" \n"])
def test_blanks_take_linear_time(start: bytes, blank: bytes) -> None:
    began = time.perf_counter()
    detect(start + blank * SNIFF_BYTES)

    assert time.perf_counter() - began < 0.05


@pytest.mark.parametrize(
    "piece",
    [
        b"<?x", b"<??>", b"<!--", b"<!---->", b"<!-- --> <?a?> ", b"<!DOCTYPE a", b"<!DOCTYPE a>", b"<!DOCTYPE a[",
        b"<!DOCTYPE a[]", b"<a:", b"a:", b" ", b"PK\3\4", b"\xff\xfe\0\xd8", b"\x1aE\xdf\xa3B\x82", b"%PDF",
        package("", streamed=True), package("mimetype", packed=False), entry("", b"", packed=False),
        b"PK\3\4" + bytes(26), b"application/vnd.ms-", b"application/vnd.openxmlformats-officedocument.",
        b"OggS\0\2" + bytes(21), box(b"free"), b"\0\0\0\1free\0\0\0\0\0\0\0\x10", box(b"moov", box(b"hdlr", bytes(20))),
        b"\xff\xfb\x90\x64", b"G", b"MS PowerPoint ", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"ID3\3\0\0\0\0\0\0",
        b"\x1aE\xdf\xa3\x42\x82\x84webm\x16\x54\xae\x6b\xff\x86\x84A_",
    ],
)  # fmt: skip
def test_hostile_heads_take_linear_time(piece: bytes) -> None:
    """About 0.1 ms each; backtracking at every piece would take a thousand times that."""
    head = (piece * SNIFF_BYTES)[:SNIFF_BYTES]
    began = time.perf_counter()
    for _ in range(10):
        detect(head)

    assert time.perf_counter() - began < 0.5
