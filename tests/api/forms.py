"""Form uploads in every mode, and the check that a refused upload leaves nothing."""

from __future__ import annotations

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from database.engine import execute
from dev.polling import eventually
from models import FILES
from services import current_services
from tests.conftest import drain
from tests.fakes import FORM, form, part

MODES = ("normal", "async", "celery")
FILE = part("file", b"content", "a.txt", "text/plain")
LARGE = part("file", b"x" * (2 << 20), "a.txt", "text/plain")


def with_fields(*fields: tuple[str, str]) -> list[bytes]:
    return [part(name, value.encode()) for name, value in fields]


def send(
    client: FlaskClient, mode: str, *parts: bytes, query: str = "", headers: dict[str, str] | None = None
) -> TestResponse:
    data = form(*parts)
    return client.post(f"/{mode}_upload{query}", data=data, content_type=FORM, headers=headers or {})


def assert_nothing_is_stored(client: FlaskClient) -> None:
    """No row, deleted ones included, no object and no spooled file is left."""
    drain(client.application)
    assert eventually(lambda: all_rows() == [])
    assert (list(current_services().storage.list_objects()), list(current_services().spool.files())) == ([], [])


def all_rows() -> list[str]:
    """Ids of all rows, deleted ones too."""
    return [row.id for row in execute(FILES.select(), {})]
