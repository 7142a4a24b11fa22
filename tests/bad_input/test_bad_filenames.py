"""Bad filenames, in every mode: refused with a problem, and nothing is left behind."""

from __future__ import annotations

import pytest

from tests.bad_input.conftest import RAW, Ferry
from tests.bad_input.uploads import GOOD, assert_refused, disposed, put, upload
from tests.fakes import form, part
from tests.harness.raw_client import post

NAMES = {
    "no filename": (upload(form(part("file", b"x"))), 400, "missing-filename"),
    "empty filename": (upload(form(part("file", b"", ""))), 400, "missing-file"),
    "Latin-1": (upload(form(part("file", b"x", "NAME")).replace(b"NAME", b"\xfcbung.txt")), 400, "bad-encoding"),
    "only Latin-1": (upload(form(part("file", b"x", "NAME")).replace(b"NAME", b"\xfc")), 400, "bad-encoding"),
    "Latin-1 in the address": (post("/MODE_upload?name=%FCbung.txt", b"x", RAW), 400, "bad-encoding"),
    "a raw byte in the address": (
        post("/MODE_upload?name=NAME", b"x", RAW).replace(b"NAME", b"\xfc", 1), 400, "bad-request",
    ),
    "surrogate": (post("/MODE_upload?name=a%ED%A0%80b", b"x", RAW), 400, "bad-encoding"),
    "name of control characters": (upload(form(part("file", b"x", "\u202e\u0007"))), 400, "missing-filename"),
    "name that is a folder": (upload(form(part("file", b"x", "../../"))), 400, "missing-filename"),
    "name of 256 bytes": (upload(form(part("file", b"x", "n" * 256))), 400, "filename-too-long"),
    "name of 10000 bytes": (upload(form(part("file", b"x", "n" * 10_000))), 400, "filename-too-long"),
    "raw name": (post(f"/MODE_upload?name={'n' * 256}", b"x", RAW), 400, "filename-too-long"),
    "a name field in Latin-1": (upload(form(part("name", b"\xfc"), GOOD)), 400, "bad-encoding"),
    "JSON without a name": (upload(b"{}", "Content-Type: application/json"), 400, "missing-filename"),
    "urlencoded without a name": (
        upload(b"a=b", "Content-Type: application/x-www-form-urlencoded"), 400, "missing-filename",
    ),
    "raw without a name": (upload(b"x", RAW), 400, "missing-filename"),
    "path without a name": (put("/MODE_upload/", b"x"), 400, "missing-filename"),
    "Latin-1 in the path": (put("/MODE_upload/%FCbung.txt", b"x"), 400, "bad-encoding"),
    "overlong in the path": (put("/MODE_upload/a%C0%AFb", b"x"), 400, "bad-encoding"),
    "surrogate in the path": (put("/MODE_upload/a%ED%A0%80", b"x"), 400, "bad-encoding"),
    "Latin-1 in Content-Disposition": (disposed('attachment; filename="\xfc"'), 400, "bad-encoding"),
    "filename* of unknown charset": (disposed("attachment; filename*=klingon''a"), 400, "bad-encoding"),
    "path that leads up": (put("/MODE_upload/..", b"x"), 400, "missing-filename"),
    "path that leads up, escaped": (put("/MODE_upload/a%2F..", b"x"), 400, "missing-filename"),
    "path that is a folder": (put("/MODE_upload/a/b/", b"x"), 400, "missing-filename"),
    "path of control characters": (put("/MODE_upload/%00%0D%0A", b"x"), 400, "missing-filename"),
    "name in the path of 256 bytes": (put(f"/MODE_upload/{'n' * 256}", b"x"), 400, "filename-too-long"),
    "Content-Disposition of 8 KB": (disposed(f'attachment; filename="{"n" * 8000}"'), 400, "filename-too-long"),
    "two names": (put("/MODE_upload/a?name=b", b"x"), 400, "invalid-parameter"),
    "two names, one in a header": (disposed("attachment; filename=b", path="/a"), 400, "invalid-parameter"),
}  # fmt: skip


@pytest.mark.parametrize("row", NAMES)
def test_a_bad_filename_is_refused(ferry: Ferry, row: str) -> None:
    assert_refused(ferry, NAMES[row])
