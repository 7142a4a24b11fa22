"""Local names: valid on every system, inside their folder, unique."""

from __future__ import annotations

from itertools import product
from pathlib import PurePath, PurePosixPath, PureWindowsPath

import pytest
from ferry_client import File
from ferry_client.local_names import UniqueNames, collision_key, local_name, portable_name, portable_path, with_number

ID = "0b8f6a52-6d1c-4f5e-9d39-6c3a2f0d5a11"


def local_name_of(name: str) -> str:
    return local_name(File(ID, name, "COMPLETE", "normal"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photo.jpg", "photo.jpg"),
        ("Größe 1 🙂.txt", "Größe 1 🙂.txt"),
        ("re\u0301sume\u0301.pdf", "résumé.pdf"),
        ("می\u200cخواهم.txt", "می\u200cخواهم.txt"),
        (".bashrc", ".bashrc"),
        ("C:evil.txt", "C_evil.txt"),
        ("a.txt:stream", "a.txt_stream"),
        ('<a>"b|c?d*', "_a__b_c_d_"),
        ("a\x00b\nc\x1b[31m\x7f\x85", "a_b_c_[31m__"),
        ("cod\u202egpj.exe", "cod_gpj.exe"),
        ("half\ud800", "half_"),
        ("a\u2028b", "a_b"),
        ("end. . .", "end"),
        ("name ", "name"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("Com1.tar.gz", "_Com1.tar.gz"),
        ("LPT² .x", "_LPT² .x"),
        ("conin$", "_conin$"),
        ("console.txt", "console.txt"),
        ("COM10", "COM10"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("\\\\server\\share\\a", "a"),
        ("..", ID),
        (". .", ID),
        ("", ID),
        ("a/", ID),
        (".id-9.ferry-part", "id-9.ferry-part"),
        (".id-9.FERRY-PART. ", "id-9.FERRY-PART"),
        ("x" * 300 + ".jpg", "x" * 251 + ".jpg"),
        ("ü" * 200, "ü" * 127),
        (".a" + "b" * 242 + ".ferry-part" + "c" * 20, "a" + "b" * 242 + ".ferry-part" + "c"),
        ("CON." + "x" * 300, "_CON." + "x" * 250),
    ],
)
def test_a_local_name_is_valid_on_every_system(name: str, expected: str) -> None:
    assert local_name_of(name) == expected


def test_an_unusable_name_and_id_become_file() -> None:
    assert local_name(File("..", "..", "COMPLETE", "normal")) == "file"


PIECES = ["C:", "..", ".", "/", "\\", "a", "CON", " ", ":", "\0", "NUL.txt", "e\u0301", "?", "\u202e", ".ferry-part"]


@pytest.mark.parametrize("system", [PureWindowsPath, PurePosixPath])
def test_no_name_leaves_its_folder(system: type[PurePath]) -> None:
    """All combinations of three pieces, by the path rules of Windows and of Linux."""
    folder = system("out")
    for pieces in product(PIECES, repeat=3):
        path = folder / local_name_of("".join(pieces))
        assert (path.parent, path.drive, path.is_reserved()) == (folder, "", False), pieces
        assert not (path.name.startswith(".") and path.name.casefold().endswith(".ferry-part"))
        assert path.name == path.name.rstrip(". ")


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 300 + ".tar.gz", "😀" * 90, "CON" + " " * 300, "a." + "b" * 300])
def test_a_portable_name_has_at_most_255_bytes_and_is_stable(name: str) -> None:
    portable = portable_name(name)

    assert len(portable.encode()) <= 255
    assert portable_name(portable) == portable
    assert len(with_number(portable, 12345).encode()) <= 255


@pytest.mark.parametrize(
    ("names", "reserved"),
    [
        (["a.txt", "a.txt", "a.txt"], ["a.txt", "a (2).txt", "a (3).txt"]),
        (["A.txt", "a.TXT"], ["A.txt", "a (2).TXT"]),
        (["Straße", "STRASSE"], ["Straße", "STRASSE (2)"]),
        (["é", "e\u0301", "É"], ["é", "e\u0301 (2)", "É (3)"]),
        (["x/a", "y/a", "X/A"], ["x/a", "y/a", "X/A (2)"]),
        (["a (2).txt", "a.txt", "a.txt"], ["a (2).txt", "a.txt", "a (3).txt"]),
        (["a", "A.tar.gz", "a.tar.gz"], ["a", "A.tar.gz", "a.tar (2).gz"]),
    ],
)
def test_reserved_names_are_unique_ignoring_case(names: list[str], reserved: list[str]) -> None:
    unique = UniqueNames()

    assert [unique.reserve(name) for name in names] == reserved
    assert len({collision_key(path) for path in reserved}) == len(reserved)


def test_1000_equal_names_are_numbered() -> None:
    unique, long = UniqueNames(), "ü" * 120
    reserved = [unique.reserve(f"{long}{'x' * (number % 16)}") for number in range(1000)]

    assert len(set(reserved)) == 1000
    assert max(len(path.encode()) for path in reserved) <= 255


@pytest.mark.parametrize(
    ("path", "windows", "expected"),
    [
        (PurePosixPath("folder/a:b?.txt"), False, "folder/a:b?.txt"),
        (PurePosixPath("folder/a\0b"), False, "folder/a_b"),
        (PureWindowsPath("folder/a:b?.txt"), True, "folder/a_b_.txt"),
        (PureWindowsPath("aux/CON.d/..."), True, "_aux/_CON.d/_"),
    ],
)
def test_a_manifest_path_is_changed_only_on_windows(path: PurePath, windows: bool, expected: str) -> None:
    assert portable_path(path, windows=windows) == expected
