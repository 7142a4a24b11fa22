"""Assigning files without an owner to one."""

from __future__ import annotations

from sqlalchemy import Connection, and_, bindparam, select

from database.engine import transaction
from models import FILES, NOT_DELETED, UploadStatus
from quotas import storage_quota


def assign_owner(owner: str, limit: int) -> int:
    """Assign up to `limit` ended files without an owner to an existing owner. Returns their number.

    Raises QuotaExceeded if together they do not fit. Files that are still being stored keep no owner: the attempt
    that ends such a file would not count it.
    """

    def work(connection: Connection) -> int:
        assigned = connection.execute(_ASSIGN_OWNER, {"new_owner": owner, "limit": limit}).all()
        sizes = [row.reserved for row in assigned if row.upload_status == UploadStatus.COMPLETE]
        storage_quota.adjust(connection, owner, sum(sizes), len(sizes))
        return len(assigned)

    return transaction(work)


# Statements are built once: building one takes longer than running it.
_ENDED_WITHOUT_OWNER = and_(
    FILES.c.owner.is_(None), NOT_DELETED, FILES.c.upload_status.in_((UploadStatus.COMPLETE, UploadStatus.ERROR))
)
_BATCH = select(FILES.c.id).where(_ENDED_WITHOUT_OWNER).limit(bindparam("limit"))
# The attempt number grows, so that a transition by a process that read the row without an owner fails.
_ASSIGN_OWNER = (
    FILES.update()
    .where(FILES.c.id.in_(_BATCH), _ENDED_WITHOUT_OWNER)
    .values(owner=bindparam("new_owner"), attempt=FILES.c.attempt + 1)
    .returning(FILES.c.reserved, FILES.c.upload_status)
)
