"""Tokens and passwords are redacted in any spelling; the surrounding text stays readable."""

from __future__ import annotations

import time
from urllib.parse import unquote

import pytest
from flask.testing import FlaskClient

from content.redaction import redact_secrets, redact_tokens

ID = "0123456789ab"
SECRET = "aB3-_xY9zQ" * 4 + "end"
TOKEN = f"ferry_{ID}_{SECRET}"


def encoded(text: str, times: int = 1) -> str:
    """Every character percent-encoded, `times` times over."""
    once = "".join(f"%{ord(sign):02X}" for sign in text)
    return once.replace("%", "%" + "25" * (times - 1))


@pytest.mark.parametrize(
    "spelled",
    [
        TOKEN,
        TOKEN[:-1],
        TOKEN[:25],
        f"{TOKEN}more",
        TOKEN.replace("_", "%5F"),
        TOKEN.replace("_", "%5f"),
        TOKEN.replace("_", "%255F"),
        TOKEN.replace("f", "%66", 1),
        TOKEN.replace("0", "%30"),
        f"ferry_{ID}_%61{SECRET[1:]}",
        encoded(TOKEN),
        encoded(TOKEN, 2),
        encoded(TOKEN, 5),
        encoded(TOKEN).lower(),
        TOKEN.upper(),
        f"Ferry_{ID.upper()}_{SECRET}",
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "/files/{}", "/files/{}/content", "'{}'", 'x{}"', "{} and {}", "a={}&b", "%20{}"]
)
def test_a_token_is_redacted_in_any_spelling(spelled: str, around: str) -> None:
    shown = around.replace("{}", f"ferry_{ID}_…")

    assert redact_tokens(around.replace("{}", spelled)) == shown
    assert redact_tokens(shown) == shown


def test_a_token_without_its_prefix_is_redacted() -> None:
    assert redact_tokens(f"/ferry/{ID}_{SECRET}/x") == f"/ferry/{ID}_…/x"


@pytest.mark.parametrize(
    "text",
    [
        "ferry",
        "ferry_doctor",
        f"ferry_{ID}",
        f"ferry_{ID}_",
        "ferry.file: complete, 100%",
        "01a1f87c-8038-72c3-a4d1-740c5f09daa4--20261120102431--report_of_the_year.pdf",
        "POST /normal_upload",
        "FATAL: password authentication failed for user",
        "The credentials need s3:PutObject, s3:GetObject.",
        "No such bucket: secret",
        "http://127.0.0.1:5000/files/a@2x.png",
    ],
)
def test_other_text_is_unchanged(text: str) -> None:
    assert redact_secrets(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:hunter2@redis:6379/0", "redis://…@redis:6379/0"),
        ("postgresql+psycopg://me:hun@ter2@db/ferry", "postgresql+psycopg://…@db/ferry"),
        ("host=db password=hunter2 user=me", "host=db password=… user=me"),
        ("host=db password='hun ter2' user=me", "host=db password=… user=me"),
        ("{'password': 'hunter2', 'a': 1}", "{'password': …, 'a': 1}"),
        ('{"aws_secret_access_key": "hunter2"}', '{"aws_secret_access_key": …}'),
        ("AWS_SECRET_ACCESS_KEY=hunter2 AWS_REGION=x", "AWS_SECRET_ACCESS_KEY=… AWS_REGION=x"),
        ("key AKIAABCDEFGHIJKLMNOP is unknown", "key AKIA… is unknown"),
        ("X-Amz-Signature=hunter2&X-Amz-Date=1", "X-Amz-Signature=…&X-Amz-Date=1"),
        ("x-amz-security-token: hunter2", "x-amz-security-token: …"),
        ("AWS4-HMAC-SHA256 Credential=hunter2/x, Signature=hunter2", "AWS4-HMAC-SHA256 Credential=…, Signature=…"),
        ("https://b.s3.amazonaws.com/k?X-Amz-Signature=hunter2", "https://b.s3.amazonaws.com/k?…"),
        ("Proxy-Authorization: Basic hunter2", "Proxy-Authorization: …"),
        ("passwd=hunter2", "passwd=…"),
    ],
)
def test_passwords_keys_and_signatures_are_redacted(text: str, shown: str) -> None:
    assert redact_secrets(text) == shown


@pytest.mark.parametrize(
    "piece",
    ["ferry_", "%25", "%", TOKEN[:19], TOKEN[:18] + "%", encoded(TOKEN[:18]), "password", "password='", "secret=\"",
     "://", "://a@", "@://a", "bearer ", "authorization ", "?", f"{ID}_", "AKIA", "_"],
)  # fmt: skip
def test_four_times_the_text_takes_four_times_the_time(piece: str) -> None:
    """The minimum of several runs, in CPU time of this thread: the machine is shared."""

    def seconds(size: int) -> float:
        text, minimum = (piece * (size // len(piece) + 1))[:size], 9.0
        for _ in range(5):
            began = time.thread_time()
            redact_secrets(text)
            minimum = min(minimum, time.thread_time() - began)
        return minimum

    assert seconds(32_000) < 8 * seconds(8_000) + 0.001


@pytest.mark.parametrize("path", ["/files/{}", "/{}/x", "/files.zip?ids={}", "/problems/{}"])
def test_a_problem_contains_no_token(client: FlaskClient, path: str) -> None:
    """Clients log the text of a problem."""
    for spelled in (TOKEN, encoded(TOKEN), encoded(TOKEN, 2)):
        answer = client.get(path.format(spelled))

        assert answer.status_code == 404
        assert SECRET not in unquote(unquote(answer.text))
        assert answer.get_json()["instance"].startswith("/")
