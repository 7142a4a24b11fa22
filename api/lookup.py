"""The files that a request names. One that is another owner's, or was deleted, is as unknown as any other."""

from __future__ import annotations

from collections.abc import Sequence

from flask import g

from content.filenames import ID
from lifecycle import queries
from models import File
from problems import NotFound


def get_file_or_404(id: str) -> File:
    """The caller's file of this id. Raises NotFound."""
    row = queries.get_owned(g.principal.owner, id) if ID.fullmatch(id) else None
    if row is None:
        raise NotFound
    return row


def get_files(ids: Sequence[str]) -> dict[str, File]:
    """Those of the caller's files that have one of these ids."""
    found = queries.get_many([id for id in ids if ID.fullmatch(id)])
    return {id: row for id, row in found.items() if row.owner == g.principal.owner and row.deleted_at is None}


def get_files_or_404(ids: Sequence[str]) -> list[File]:
    """The caller's files of these ids, in their order. Raises NotFound, which names those that are none (`ids`)."""
    found = get_files(ids)
    unknown = [id for id in ids if id not in found]
    if unknown:
        raise NotFound(ids=unknown)
    return [found[id] for id in ids]
