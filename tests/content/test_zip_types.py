"""ZIP archives: documents are detected by their first entries; archives that contain or resemble documents are not."""

from __future__ import annotations

import pytest

from content.sniffing import detect
from tests.content.heads import NOISE, entry, package

OOXML = "application/vnd.openxmlformats-officedocument."
DOCX = OOXML + "wordprocessingml.document"
XLSX = OOXML + "spreadsheetml.sheet"
PPTX = OOXML + "presentationml.presentation"
ODF = "application/vnd.oasis.opendocument."
TYPES, RELS = "[Content_Types].xml", "_rels/.rels"
SHEET = f'<Types><Override ContentType="{XLSX}.main+xml"/></Types>'.encode()


def mimetype(kind: str, **how: bool) -> bytes:
    return entry("mimetype", kind.encode(), packed=False, **how)


OPC = package(TYPES, RELS)
OFFICE = {
    "Word, pandoc": (OPC + package("word/document.xml"), DOCX),
    "python-docx": (OPC + package("docProps/core.xml", "docProps/app.xml", "word/document.xml"), DOCX),
    "docx (npm)": (package("word/document.xml", "word/styles.xml", TYPES), DOCX),
    "customXml first": (package("customXml/item1.xml", "customXml/itemProps1.xml") + OPC + package("word/a.xml"), DOCX),
    "six before word": (OPC + package(*(f"docProps/{n}.xml" for n in "abcd"), "customXml/a.xml", "word/a.xml"), DOCX),
    "relations first": (package(RELS, "word/_rels/document.xml.rels", TYPES), DOCX),
    "openpyxl, SheetJS, exceljs": (OPC + package("xl/workbook.xml"), XLSX),
    "exceljs as a stream": (package("xl/worksheets/sheet1.xml", "xl/workbook.xml", streamed=True), XLSX),
    "xlsb": (OPC + package("xl/workbook.bin"), XLSX),
    "pptxgenjs": (package("_rels/", "docProps/", *(f"ppt/{n}/" for n in ("_rels", "slides", "theme")), TYPES), PPTX),
    "python-pptx, PowerPoint": (OPC + package("ppt/presentation.xml"), PPTX),
    "sizes follow unmarked": (package(TYPES, RELS, "ppt/a.xml", streamed=True, marked=False), PPTX),
    "backslashes": (package("_rels\\.rels", "word\\document.xml"), DOCX),
    "stored content types": (entry(TYPES, SHEET, packed=False) + entry("docProps/a.jpeg", NOISE), XLSX),
    "stored, size follows": (entry(TYPES, SHEET, packed=False, streamed=True) + entry("docProps/a", NOISE), XLSX),
    "a picture first": (entry(RELS, NOISE[:900]) + package(TYPES, "word/media/image1.png"), DOCX),
}

OTHERS = {
    "LibreOffice Writer": (mimetype(ODF + "text") + package("content.xml"), ODF + "text"),
    "LibreOffice Calc": (mimetype(ODF + "spreadsheet") + package("content.xml"), ODF + "spreadsheet"),
    "LibreOffice Impress": (mimetype(ODF + "presentation"), ODF + "presentation"),
    "template": (mimetype(ODF + "text-template"), ODF + "text-template"),
    "size follows": (mimetype(ODF + "graphics", streamed=True) + package("a"), ODF + "graphics"),
    "SheetJS": (package("META-INF/manifest.xml") + mimetype(ODF + "spreadsheet\n"), ODF + "spreadsheet"),
    "EPUB": (mimetype("application/epub+zip"), "application/epub+zip"),
    "EPUB without mimetype": (package("META-INF/container.xml", "OEBPS/a.xhtml"), "application/epub+zip"),
    "jar": (package("META-INF/", "META-INF/MANIFEST.MF", "A.class"), "application/java-archive"),
    "apk": (package("META-INF/MANIFEST.MF", "AndroidManifest.xml"), "application/vnd.android.package-archive"),
}


@pytest.mark.parametrize("maker", OFFICE)
def test_an_office_document_is_detected_by_any_entry(maker: str) -> None:
    head, kind = OFFICE[maker]

    assert detect(head) == kind


@pytest.mark.parametrize("maker", OTHERS)
def test_other_kinds_of_archive_have_their_own_type(maker: str) -> None:
    head, kind = OTHERS[maker]

    assert detect(head) == kind


INNER = package(TYPES, RELS, "word/document.xml")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(entry("a.docx", INNER, packed=False) + entry("b.txt"), id="stored"),
        pytest.param(entry("a.docx", INNER, packed=False, streamed=True) + entry("b.txt"), id="stored, size follows"),
        pytest.param(entry("a.docx", INNER + NOISE, packed=True, streamed=True), id="packed, size follows"),
        pytest.param(
            entry("a.docx", package(TYPES, "xl/workbook.xml", streamed=True), packed=False, streamed=True), id="both"
        ),
        pytest.param(package("notes/word/document.xml", "ppt.txt", "xlsx/a.xml"), id="names that resemble"),
        pytest.param(package("word/list.txt", "xl/readme.md"), id="a folder called word"),
        pytest.param(package(TYPES, RELS), id="no part in sight"),
        pytest.param(mimetype("text/html") + package("a"), id="a type that no archive has"),
        pytest.param(mimetype(ODF + "x" * 4000), id="a type without end"),
        pytest.param(b"PK\5\6" + bytes(18), id="empty"),
        pytest.param(b"PK\3\4" + bytes(60), id="cut off"),
        pytest.param(b"PK\3\4" + b"\xff" * 60, id="nonsense"),
    ],
)
def test_an_archive_that_contains_or_resembles_a_document_is_a_zip(head: bytes) -> None:
    assert detect(head) == "application/zip"


def test_a_split_archive_is_a_zip() -> None:
    assert detect(b"PK\7\x08" + package("a.txt")) == detect(b"PK00" + package("a.txt")) == "application/zip"
