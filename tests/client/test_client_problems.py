"""The client's errors are the server's problems."""

from __future__ import annotations

import json

import pytest
from ferry_client.errors import FerryError
from ferry_client.problems import KINDS, NotFound, TooLarge
from ferry_client.wire import problem

import storage  # noqa: F401  its errors are problems too
from dev.client_problems import page
from dev.parts import ROOT
from problems import all_problems


def answered(status: int = 413, headers: dict[str, str] | None = None, **members: object) -> FerryError:
    return problem(status, headers or {}, json.dumps({"status": status, "instance": "/a", **members}).encode())


def test_the_client_knows_every_problem() -> None:
    """If not: `python -m dev.client_problems > client/ferry_client/problems.py`."""
    assert set(KINDS) == set(all_problems())
    assert (ROOT / "client/ferry_client/problems.py").read_text() == page()


@pytest.mark.parametrize("slug", KINDS)
def test_every_problem_is_an_exception_of_its_own(slug: str) -> None:
    error = answered(type=f"/problems/{slug}", title="t", detail="d")

    assert type(error) is KINDS[slug]
    assert (error.slug, error.status, error.detail, str(error)) == (slug, 413, "d", f"d ({slug})")


def test_a_problem_brings_its_own_members() -> None:
    error = answered(type="/problems/too-large", title="t", detail="d", max_bytes=9, request_id="r")

    assert isinstance(error, TooLarge)
    assert error.fields["max_bytes"] == 9
    assert error.fields["request_id"] == "r"


def test_a_member_named_status_is_not_the_answers_own() -> None:
    assert answered(409, type="/problems/not-ready", title="t").fields.get("status") is None
    assert problem(409, {}, b'{"type": "/problems/not-ready", "status": "PENDING"}').fields["status"] == "PENDING"


def test_a_problem_of_a_later_version_is_a_ferry_error() -> None:
    error = answered(418, type="/problems/teapot", title="Tea", retry=1)

    assert type(error) is FerryError
    assert (error.slug, error.status, error.detail, error.fields["retry"]) == ("teapot", 418, "Tea", 1)


@pytest.mark.parametrize("body", [b"", b"<h1>Bad Gateway</h1>", b"[]", b"{}", b'"x"', b"\xff"])
def test_what_a_proxy_says_is_a_ferry_error(body: bytes) -> None:
    error = problem(502, {"Retry-After": "7"}, body)

    assert (type(error), error.slug, error.status, error.retry_after) == (FerryError, "http-502", 502, 7.0)


def test_a_date_to_come_again_counts_as_nothing_said() -> None:
    assert answered(headers={"Retry-After": "Fri, 20 Nov 2026 10:00:00 GMT"}, type="/problems/x").retry_after is None


def test_all_errors_are_ferry_errors() -> None:
    assert issubclass(NotFound, FerryError)
    assert all(issubclass(kind, FerryError) for kind in KINDS.values())
