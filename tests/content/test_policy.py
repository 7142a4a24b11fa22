"""ALLOWED_TYPES and DENIED_TYPES accept or reject a file by its detected type."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from content.policy import check_allowed
from lifecycle import queries
from problems import TypeNotAllowed
from services import current_services
from tests.conftest import drain
from tests.content.uploads import MODES, PAGE, PNG, PROGRAM, SVG, send
from tests.fakes import FORM, form, part


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
        """No row, no object and no spooled byte."""
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
        """The form has no end, and the response does not depend on it."""
        data = form(part("file", PAGE + b"x" * (2 << 20), "a.png"))[:-20]
        answer = client.post(f"/{mode}_upload", data=data, content_type=FORM)

        assert answer.status_code == 415

    @pytest.mark.parametrize("declared", ["image/png", "text/html", "", "application/zip"])
    def test_the_declared_type_is_ignored(self, client: FlaskClient, declared: str) -> None:
        assert send(client, "async", PNG, declared).status_code == 202

    def test_a_rejected_file_uses_no_idempotency_key(self, client: FlaskClient) -> None:
        assert send(client, "async", PAGE, **{"Idempotency-Key": "k"}).status_code == 415
        assert send(client, "async", PNG, **{"Idempotency-Key": "k"}).status_code == 202
