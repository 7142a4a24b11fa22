"""One Ferry for all recipes, with a key for those that send one, and an anonymous file for those that fetch one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from app import create_app
from auth import api_keys
from tests.harness.stack import Stack
from tests.recipes.expected import PHOTO


class Ferry(Stack):
    """Ferry, open to requests without a key beside those of alice's key."""

    key: str
    photo: str

    def __enter__(self) -> Ferry:
        super().__enter__()
        app = create_app(self.env)
        with app.app_context():
            self.key = api_keys.create("alice", api_keys.SCOPES, None)
            app.extensions["sqlalchemy"].engine.dispose()
        self.photo = self.upload("normal", PHOTO, "photo.jpg").json()["id"]
        return self

    def listed(self, *, with_key: bool = False) -> dict[str, dict[str, Any]]:
        """The newest files by id: of alice, or those without an owner."""
        answer = requests.get(f"{self.url}/files", headers=self._headers(with_key), params={"limit": 100}, timeout=10)
        return {file["id"]: file for file in answer.json()["files"]}

    def content(self, id: str, *, with_key: bool = False) -> bytes:
        return requests.get(f"{self.url}/files/{id}/content", headers=self._headers(with_key), timeout=10).content

    def _headers(self, with_key: bool) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if with_key else {}


@pytest.fixture(scope="module")
def ferry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ferry]:
    with Ferry(tmp_path_factory.mktemp("recipes"), {"ALLOW_ANONYMOUS": "1"}) as ferry:
        yield ferry
