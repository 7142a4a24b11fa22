"""A replay does not return a file that was deleted or assigned to another owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from auth import api_keys
from lifecycle import deletion, queries, transitions
from lifecycle.idempotency import require_same_request
from problems import IdempotencyKeyInUse
from tests.conftest import drain
from tests.harness.factories import unsaved_file
from tests.lifecycle.idempotent_uploads import MODES, send, shift


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return settings | {"ALLOW_ANONYMOUS": "1"}


@pytest.fixture(params=MODES)
def adopted(request: pytest.FixtureRequest, client: FlaskClient) -> dict[str, Any]:
    """An anonymous upload that was then assigned to alice. Anonymous uploads are still allowed."""
    first = send(client, request.param).get_json()
    drain(client.application)
    api_keys.create("alice", api_keys.SCOPES, None)
    transitions.assign_owner("alice", 10)
    return first  # type: ignore[no-any-return]


def test_a_replay_does_not_return_a_file_that_was_assigned_to_another_owner(
    client: FlaskClient, adopted: dict[str, Any]
) -> None:
    """Its key is in use until the first request's lease expires, and then free: as if the file had been deleted."""
    refused = send(client, adopted["mode"])
    shift("lease_until", -1000)
    again = send(client, adopted["mode"])
    drain(client.application)

    assert (refused.status_code, again.status_code) == (409, 201 if adopted["mode"] == "normal" else 202)
    for answer in (refused, again):
        assert adopted["id"] not in answer.text + str(answer.headers)
        assert "Idempotency-Replayed" not in answer.headers
    assert client.get(again.headers["Location"]).status_code == 200
    assert send(client, adopted["mode"]).get_json()["id"] == again.get_json()["id"]
    other = send(client, adopted["mode"], b"other")
    assert (other.status_code, adopted["id"] in other.text) == (422, False)


@pytest.mark.parametrize("event", ["adopted", "deleted"])
def test_a_file_that_is_adopted_or_deleted_during_a_replay_is_not_returned(client: FlaskClient, event: str) -> None:
    id = send(client, "async").get_json()["id"]
    drain(client.application)
    existing = queries.get(id)
    assert existing is not None
    api_keys.create("alice", api_keys.SCOPES, None)

    def body() -> Iterator[bytes]:
        yield b"x"
        assert transitions.assign_owner("alice", 10) if event == "adopted" else deletion.delete(existing)

    again = unsaved_file(name="a")
    with pytest.raises(IdempotencyKeyInUse):
        require_same_request(existing, again, body())
