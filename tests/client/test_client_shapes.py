"""The client's dataclasses match the server's shapes."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import pytest
from ferry_client import File, Link

from api import schemas
from dev.client_shapes import page
from dev.parts import ROOT


def test_the_dataclasses_are_generated_from_the_shapes() -> None:
    """To update: `python -m dev.client_shapes > client/ferry_client/shapes.py`."""
    assert (ROOT / "client/ferry_client/shapes.py").read_text() == page()


@pytest.mark.parametrize(("generated", "shape"), [(File, schemas.File), (Link, schemas.Link)])
def test_a_dataclass_has_the_fields_of_its_shape(generated: type[File | Link], shape: type[schemas.File]) -> None:
    assert tuple(field.name for field in fields(generated)) == shape.__struct_encode_fields__


def test_missing_fields_of_an_older_server_are_none() -> None:
    file = File.from_json({"id": "1", "name": "a", "status": "PENDING", "mode": "async", "later": 1})

    assert (file.sha256, file.created_at, file.links) == (None, None, {})


def test_times_are_read_and_written_as_rfc_3339() -> None:
    members = {"url": "http://a", "expires_at": "2026-11-20T10:24:31.645Z"}
    link = Link.from_json(members)

    assert link.expires_at == datetime(2026, 11, 20, 10, 24, 31, 645000, tzinfo=UTC)
    assert link.to_json() == members
