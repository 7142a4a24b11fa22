"""The files that a request names. Files of other owners and deleted files are treated as unknown ids."""

from __future__ import annotations

from collections.abc import Sequence

from flask import g

from content.filenames import ID
from lifecycle import queries
from models import FileRow
from problems import NotFound


def get_file_or_404(id: str) -> FileRow:
    """The principal's file with this id. Raises NotFound."""
    row = queries.get_owned(g.principal.owner, id) if ID.fullmatch(id) else None
    if row is None:
        raise NotFound
    return row


def get_files(ids: Sequence[str]) -> dict[str, FileRow]:
    """The principal's files with these ids, by id. Unknown ids are left out."""
    rows = queries.get_many([id for id in ids if ID.fullmatch(id)])
    return {id: row for id, row in rows.items() if row.owner == g.principal.owner and row.deleted_at is None}


def get_files_or_404(ids: Sequence[str]) -> list[FileRow]:
    """The principal's files with these ids, in the same order. Raises NotFound with the unknown ids (`ids`)."""
    rows = get_files(ids)
    unknown = [id for id in ids if id not in rows]
    if unknown:
        raise NotFound(ids=unknown)
    return [rows[id] for id in ids]
