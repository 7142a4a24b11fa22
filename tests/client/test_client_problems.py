"""The client's exceptions match the server's problems."""

from __future__ import annotations

import json

import pytest
from ferry_client.errors import FerryError
from ferry_client.problems import KINDS, NotFound, TooLarge
from ferry_client.response_errors import error_from_response

import storage  # noqa: F401  its errors are problems too
from dev.client_problems import page
from dev.parts import ROOT
from problems import all_problems


def answered(status: int = 413, headers: dict[str, str] | None = None, **members: object) -> FerryError:
    return error_from_response(
        status, headers or {}, json.dumps({"status": status, "instance": "/a", **members}).encode()
    )


def test_the_client_knows_every_problem() -> None:
    """To update: `python -m dev.client_problems > client/ferry_client/problems.py`."""
    assert set(KINDS) == set(all_problems())
    assert (ROOT / "client/ferry_client/problems.py").read_text() == page()


@pytest.mark.parametrize("slug", KINDS)
def test_every_problem_has_its_own_exception(slug: str) -> None:
    error = answered(type=f"/problems/{slug}", title="t", detail="d")

    assert type(error) is KINDS[slug]
    assert (error.slug, error.status, error.detail, str(error)) == (slug, 413, "d", f"d ({slug})")


def test_a_problem_keeps_its_extension_members() -> None:
    error = answered(type="/problems/too-large", title="t", detail="d", max_bytes=9, request_id="r")

    assert isinstance(error, TooLarge)
    assert error.fields["max_bytes"] == 9
    assert error.fields["request_id"] == "r"


def test_a_problem_member_named_status_is_a_field() -> None:
    assert answered(409, type="/problems/not-ready", title="t").fields.get("status") is None
    assert (
        error_from_response(409, {}, b'{"type": "/problems/not-ready", "status": "PENDING"}').fields["status"]
        == "PENDING"
    )


def test_an_unknown_problem_is_a_ferry_error() -> None:
    error = answered(418, type="/problems/teapot", title="Tea", retry=1)

    assert type(error) is FerryError
    assert (error.slug, error.status, error.detail, error.fields["retry"]) == ("teapot", 418, "Tea", 1)


@pytest.mark.parametrize("body", [b"", b"<h1>Bad Gateway</h1>", b"[]", b"{}", b'"x"', b"\xff"])
def test_a_response_of_a_proxy_is_a_ferry_error(body: bytes) -> None:
    error = error_from_response(502, {"Retry-After": "7"}, body)

    assert (type(error), error.slug, error.status, error.retry_after) == (FerryError, "http-502", 502, 7.0)


def test_a_retry_after_date_counts_as_missing() -> None:
    assert answered(headers={"Retry-After": "Fri, 20 Nov 2026 10:00:00 GMT"}, type="/problems/x").retry_after is None


def test_all_errors_are_ferry_errors() -> None:
    assert issubclass(NotFound, FerryError)
    assert all(issubclass(kind, FerryError) for kind in KINDS.values())
