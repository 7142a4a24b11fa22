"""Old Office documents, images, archives, data, fonts and programs, by magic number."""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import tarfile

import pytest

from content.sniffing import detect
from tests.content.heads import NOISE, compound

FAT = b"\xfd\xff\xff\xff\xfe\xff\xff\xff"
WORKBOOK = b"\x09\x08\x10\0\0\6\5\0\xbb\x0d\xcc\7"
MSI = bytes.fromhex("84100c0000000000c000000000000046")
DOC, XLS, PPT = "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"


def tarred(name: str, kind: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        archive.addfile(tarfile.TarInfo(name))
    return out.getvalue()


def without_ustar(head: bytes) -> bytes:
    """The header as `tar --format=v7` writes it."""
    blanked = head[:148] + b" " * 8 + head[156:257] + bytes(255)
    return blanked[:148] + b"%06o\0 " % sum(blanked) + blanked[156:] + bytes(512)


def installer() -> bytes:
    head = bytearray(compound(FAT, streams=("x",)))
    at = head.index("Root Entry".encode("utf-16-le"))
    head[at + 80 : at + 96] = MSI
    return bytes(head)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        pytest.param(compound(b"\xec\xa5\xc1\0\x6d\x20" + NOISE[:300]), DOC, id="Word"),
        pytest.param(
            compound(FAT, streams=("CompObj", "1Table", "WordDocument", "Workbook")), DOC, id="a sheet in a text"
        ),
        pytest.param(compound(FAT, bytes(512), b"Word.Document.8"), DOC, id="LibreOffice Writer"),
        pytest.param(compound(WORKBOOK), XLS, id="Excel, xlwt"),
        pytest.param(compound(FAT, bytes(512), WORKBOOK), XLS, id="LibreOffice Calc"),
        pytest.param(compound(FAT, streams=("Sh33tJ5", "Workbook")), XLS, id="SheetJS"),
        pytest.param(compound(b"\x09\x08\x08\0\0\5\5\0\x6c\x0d"), XLS, id="Excel 5"),
        pytest.param(b"\x09\0\4\0\2\0\x10\0" + NOISE, XLS, id="Excel 2"),
        pytest.param(compound(b"\x0f\0\xe8\3" + NOISE[:300]), PPT, id="PowerPoint"),
        pytest.param(compound(FAT, bytes(512), b"MS PowerPoint 97"), PPT, id="LibreOffice Impress"),
        pytest.param(compound(FAT, streams=("__properties_version1.0",)), "application/vnd.ms-outlook", id="Outlook"),
        pytest.param(installer(), "application/x-msi", id="Windows Installer"),
        pytest.param(compound(FAT, NOISE[:512]), "application/x-ole-storage", id="directory out of sight"),
    ],
)
def test_compound_files(head: bytes, kind: str) -> None:
    assert detect(head) == kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"II\x2b\0\x08\0\0\0" + NOISE, "image/tiff"),
        (b"MM\0\x2b\0\x08\0\0" + NOISE, "image/tiff"),
        (b"II*\0\x10\0\0\0CR\2\0" + NOISE, "image/x-canon-cr2"),
        (b"IIU\0\x18\0\0\0" + NOISE, "image/x-panasonic-rw2"),
        (b"FUJIFILMCCD-RAW 0201" + NOISE, "image/x-fuji-raf"),
        (b"\xff\x0a\xfa\x1f" + NOISE, "image/jxl"),
        (b"8BPS\0\1" + NOISE, "image/vnd.adobe.photoshop"),
        (b"\0\0\2\0\1\0\x20\x20\0\0" + NOISE, "image/x-icon"),
        (b"P6\n64 64\n255\n" + NOISE, "image/x-portable-anymap"),
        (b"qoif\0\0\0\x40\0\0\0\x40\3\0" + NOISE, "image/qoi"),
        (b"\1\0\0\0" + bytes(36) + b" EMF" + NOISE, "image/emf"),
        (b"\xc5\xd0\xd3\xc6" + NOISE, "application/postscript"),
        (tarred("BM/ID3.png", tarfile.GNU_FORMAT), "application/x-tar"),
        (tarred("GIF89a", tarfile.PAX_FORMAT), "application/x-tar"),
        (without_ustar(tarred("MZ", tarfile.USTAR_FORMAT)), "application/x-tar"),
        (bz2.compress(NOISE), "application/x-bzip2"),
        (lzma.compress(NOISE), "application/x-xz"),
        (lzma.compress(NOISE, lzma.FORMAT_ALONE), "application/x-lzma"),
        (b"\x28\xb5\x2f\xfd\x24" + NOISE, "application/zstd"),
        (b"Rar!\x1a\7\1\0" + NOISE, "application/x-rar-compressed"),
        (b"070701" + b"0" * 104 + b"a\0\0\0", "application/x-cpio"),
        (b"PAR1\x15\x04" + NOISE, "application/vnd.apache.parquet"),
        (b"ARROW1\0\0\xff" + NOISE, "application/vnd.apache.arrow.file"),
        (b"Obj\1\4\x14avro.codec" + NOISE, "application/avro"),
        (b"SQLite format 3\0\x10\0" + NOISE, "application/x-sqlite3"),
        (b"\x89HDF\r\n\x1a\n\0" + NOISE, "application/x-hdf5"),
        (b"\x93NUMPY\1\0v\0{'descr'", "application/x-npy"),
        (b"CDF\1\0\0\0\0" + NOISE, "application/netcdf"),
        (b"wOFF\0\1\0\0" + NOISE, "font/woff"),
        (b"wOF2OTTO" + NOISE, "font/woff2"),
        (b"\0\1\0\0\0\x12\1\0" + NOISE, "font/ttf"),
        (b"OTTO\0\x0c" + NOISE, "font/otf"),
        (b"ttcf\0\1\0\0" + NOISE, "font/collection"),
        (b"\xcf\xfa\xed\xfe\7\0\0\1" + NOISE, "application/x-mach-binary"),
        (b"\xca\xfe\xba\xbe\0\0\0\2\1\0\0\7" + NOISE, "application/x-mach-binary"),
        (b"\xca\xfe\xba\xbe\0\0\0\x34\0\x1d" + NOISE, "application/java-vm"),
        (b"dex\n035\0" + NOISE, "application/x-dex"),
        (b"\x4c\0\0\0\1\x14\2\0" + NOISE, "application/x-ms-shortcut"),
    ],
)
def test_files_with_a_magic_number(head: bytes, kind: str) -> None:
    assert detect(head) == kind


@pytest.mark.parametrize(
    "head",
    [
        b"BM" + NOISE,
        b"GIF" + NOISE,
        b"BZh\0" + NOISE,
        b"SQLi" + NOISE,
        b"\xff\xfb" + b"\xff" * 60 + NOISE,
        struct.pack("<HHHH", 0, 2, 0, 0) + NOISE,
    ],
    ids=["BM", "GIF", "BZh", "SQLi", "frames", "TGA"],
)
def test_a_truncated_magic_number_does_not_match(head: bytes) -> None:
    assert detect(head) == "application/octet-stream"
