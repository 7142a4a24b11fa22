"""Files with a magic number. The only module that imports filetype, whose table is used last.

Types are those registered with IANA, else those of filetype.
"""

from __future__ import annotations

import re

import filetype

# Formats that filetype lacks, confuses, or detects by too few bytes.
_SIGNATURES = [
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in (
        (rb"GIF8[79]a", "image/gif"),
        (rb"BM.{4}\0{4}.{2}\0\0", "image/bmp"),
        (rb"\0\0[\x01\x02]\0(?!\0\0).{5}\0", "image/x-icon"),
        (rb"II\x2b\0|MM\0\x2b", "image/tiff"),
        (rb"\xff\x0a", "image/jxl"),
        (rb"\xff\x4f\xff\x51\0", "image/x-jp2-codestream"),
        (rb"P[4-7][\s#]", "image/x-portable-anymap"),
        (rb"qoif.{8}[\x03\x04][\0\x01]", "image/qoi"),
        (rb"v/1\x01", "image/x-exr"),
        (rb"#\?R(?:ADIANCE|GBE)\n", "image/vnd.radiance"),
        (rb"DDS \x7c\0\0\0", "image/vnd.ms-dds"),
        (rb"\x0a[\x02\x03\x05]\x01[\x01\x02\x04\x08]", "image/vnd.zbrush.pcx"),
        (rb"\x01\xda[\0\x01][\x01\x02]\0[\x01-\x03]", "image/sgi"),
        (rb"icns", "image/x-icns"),
        (rb"\xd7\xcd\xc6\x9a|\x01\0\x09\0\0[\x01\x03]", "image/wmf"),
        (rb"\x01\0\0\0.{36} EMF", "image/emf"),
        (rb"SIMPLE  =", "image/fits"),
        (rb"IIRO|IIRS|MMOR", "image/x-olympus-orf"),
        (rb"IIU\0", "image/x-panasonic-rw2"),
        (rb"FUJIFILMCCD-RAW", "image/x-fuji-raf"),
        (rb"\xc5\xd0\xd3\xc6", "application/postscript"),
        (rb"fLaC", "audio/x-flac"),
        (rb"\x1f\x07\0[\x3f\xbf]", "video/dv"),
        (rb"#!AMR-WB\n", "audio/amr-wb"),
        (rb"caff\0\x01", "audio/x-caf"),
        (rb"\.snd\0\0\0", "audio/basic"),
        (rb"wvpk", "audio/x-wavpack"),
        (rb"riff\x2e\x91\xcf\x11", "audio/x-wav"),
        (rb"\x0b\x77.{3}[\0-\x57]", "audio/ac3"),
        (rb"\x0b\x77.{3}[\x58-\x87]", "audio/eac3"),
        (rb"\x7f\xfe\x80\x01", "audio/vnd.dts"),
        (rb"TTA1", "audio/x-tta"),
        (rb"Creative Voice File\x1a", "audio/x-voc"),
        (rb"\.RMF\0", "application/vnd.rn-realmedia"),
        (rb"\x06\x0e\x2b\x34\x02\x05\x01\x01\r\x01\x02", "application/mxf"),
        (rb"\0\0\0\x01[\x09\x27\x67]", "video/h264"),
        (rb"\0\0\0\x01[\x40\x46]\x01", "video/h265"),
        (rb"wOFF", "font/woff"),
        (rb"wOF2", "font/woff2"),
        (rb"OTTO\0", "font/otf"),
        (rb"ttcf\0[\x01\x02]", "font/collection"),
        (rb"\0\x01\0\0\0[^\0]|true\0", "font/ttf"),
        (rb".{8}(?:\0\0\x01|[\x01\x02]\0\x02)\0.{22}LP", "application/vnd.ms-fontobject"),
        (rb"PAR[1E]", "application/vnd.apache.parquet"),
        (rb"ARROW1\0\0", "application/vnd.apache.arrow.file"),
        (rb"ORC[\x08\x0a\x12\x1a]", "application/vnd.apache.orc"),
        (rb"Obj\x01", "application/avro"),
        (rb"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
        (rb"CDF[\x01\x02\x05]", "application/netcdf"),
        (rb"\x93NUMPY", "application/x-npy"),
        (rb"MATLAB 5\.0 MAT-file", "application/x-matlab-data"),
        (rb"SQLite format 3\0", "application/x-sqlite3"),
        (rb"\x09(?:\0\x04|\x02\x06|\x04\x06)\0.\0[\x10\x20\x40]\0", "application/vnd.ms-excel"),
        (rb"\0\x01\0\0Standard (?:Jet|ACE) DB\0", "application/x-msaccess"),
        (rb"\xd4\xc3\xb2\xa1\x02\0|\xa1\xb2\xc3\xd4\0\x02", "application/vnd.tcpdump.pcap"),
        (rb"\x0a\x0d\x0d\x0a.{4}\x4d\x3c\x2b\x1a", "application/x-pcapng"),
        (rb"\x5d\0\0.{2}(?:\xff{8}|.{5}\0{3})", "application/x-lzma"),
        (rb"BZh[1-9]", "application/x-bzip2"),
        (rb"07070[127]|\xc7\x71", "application/x-cpio"),
        (rb"ITSF\x03\0", "application/vnd.ms-htmlhelp"),
        (rb".{60}BOOKMOBI", "application/x-mobipocket-ebook"),
        (rb"\x4c\0\0\0\x01\x14\x02\0", "application/x-ms-shortcut"),
        (rb"dex\n0[0-9]{2}\0", "application/x-dex"),
        (rb"\xca\xfe\xba\xbe.{2}\0[\x2d-\xff]", "application/java-vm"),
        (rb"\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba[\xbe\xbf]", "application/x-mach-binary"),
        (rb"\x7fELF", "application/x-executable"),
    )
]  # fmt: skip

_REPLACEMENTS = {
    "image/apng": "image/png",  # Animated PNG counts as PNG.
    "application/font-woff": "font/woff",
    "application/font-sfnt": "font/ttf",
}
_WEAK = frozenset(
    (
        "image/gif",
        "image/bmp",
        "image/x-icon",
        "audio/aac",
        "audio/mpeg",
        "application/zip",
        "application/x-bzip2",
        "application/x-sqlite3",
    )
)
"""Types that filetype detects by two or three bytes, and this package by more."""


def detect(head: bytes) -> str | None:
    """Return the type of a file that begins with one of the signatures above."""
    return next((kind for pattern, kind in _SIGNATURES if pattern.match(head)), None)


def detect_by_filetype(head: bytes) -> str | None:
    """Return the type that filetype detects."""
    found: str | None = filetype.guess_mime(head)
    return None if found in _WEAK else _REPLACEMENTS.get(found or "", found)
