"""Transfer slots over HTTP: the limit of an owner on a host, and of a client in a process."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from flask import Flask
from flask.testing import FlaskClient

from auth import api_keys
from problems import TooManyUploads
from services import current_services
from tests.auth.helpers import bearer, problem, upload


def test_the_uploads_quota_limits_an_owner_on_all_processes(client: FlaskClient, alice: dict[str, str]) -> None:
    api_keys.set_quotas("alice", quota_uploads=1)
    with current_services().host_slots.acquire("owner alice", 1, TooManyUploads()):
        response = upload(client, alice)
    assert problem(response) == (429, "too-many-uploads")
    assert int(response.headers["Retry-After"]) > 0
    assert upload(client, alice).status_code == 201


@pytest.mark.parametrize("mode", ["normal", "async"])
def test_a_client_holds_no_more_than_its_slots_in_a_process(
    client: FlaskClient, app: Flask, alice: dict[str, str], bob: dict[str, str], mode: str
) -> None:
    """All keys of an owner share them; another owner has its own."""
    slots = app.config["FERRY"].max_transfers
    second_key = bearer(api_keys.create("alice", ["upload"], None))
    accepted = 201 if mode == "normal" else 202
    with ExitStack() as held:
        for _ in range(slots - 1):
            held.enter_context(current_services().transfers.acquire("alice", slots, TooManyUploads()))
        assert upload(client, alice, mode).status_code == accepted
        held.enter_context(current_services().transfers.acquire("alice", slots, TooManyUploads()))
        for headers in (alice, second_key):
            response = upload(client, headers, mode)
            assert (*problem(response), response.get_json()["most"]) == (429, "too-many-uploads", slots)
        assert upload(client, bob, mode).status_code == accepted

    assert upload(client, alice, mode).status_code == accepted
