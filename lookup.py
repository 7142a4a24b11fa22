"""The files that a request names. One that is another owner's, or was deleted, is as unknown as any other."""

from __future__ import annotations

from collections.abc import Iterable

from flask import g

from models import File
from parameters import ID
from problems import NotFound


def one(id: str) -> File:
    """The caller's file of this id. Raises NotFound."""
    row = File.find_of(g.caller.owner, id) if ID.fullmatch(id) else None
    if row is None:
        raise NotFound
    return row


def several(ids: Iterable[str]) -> list[File]:
    """The caller's files of these ids, in their order. Raises NotFound, which names those that are none (`ids`)."""
    asked = list(ids)
    found = {row.id: row for row in File.among([id for id in asked if ID.fullmatch(id)]).values() if _may_see(row)}
    unknown = [id for id in asked if id not in found]
    if unknown:
        raise NotFound(ids=unknown)
    return [found[id] for id in asked]


def _may_see(row: File) -> bool:
    return row.owner == g.caller.owner and row.deleted_at is None
