"""Slots of concurrent uploads and downloads: how many a client may hold, and under which name they are counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from flask import g

import config
from auth.authenticator import Principal
from problems import Problem, TooManyDownloads, TooManyUploads
from services import current_services


@contextmanager
def upload_slot() -> Iterator[Principal]:
    """Hold an upload's slots while its bytes arrive. Raises TooManyUploads.

    The slots: one of the client's in this process and, with a `max_uploads_per_host`, one of its owner's on this host.
    """
    principal: Principal = g.principal
    with ExitStack() as slots:
        slots.enter_context(body_slot())
        if principal.key and (limit := principal.key.max_uploads_per_host) is not None:
            detail = f"At most {limit} uploads of one owner at once on a host (flask keys quota, --quota-uploads)."
            error = TooManyUploads(detail, most=limit)
            slots.enter_context(current_services().host_slots.acquire(f"owner {principal.owner}", limit, error))
        yield principal


def body_slot() -> AbstractContextManager[None]:
    """Hold one of the client's slots while a request body arrives. Raises TooManyUploads."""
    limit = _transfer_limit(g.principal)
    return _transfer_slot(limit, TooManyUploads(limit.detail, most=limit.slots))


def download_slot() -> AbstractContextManager[None]:
    """Hold one of the client's slots while a response is sent. Raises TooManyDownloads."""
    limit = _transfer_limit(g.principal)
    return _transfer_slot(limit, TooManyDownloads(limit.detail, most=limit.slots))


@dataclass(frozen=True)
class _TransferLimit:
    """The limit of concurrent transfers that applies to a principal."""

    name: str
    """The key that slots are counted under."""
    slots: int
    counted_by: str
    """What shares the slots: a key, an owner, an address."""
    set_by: str
    """The setting or command that raises the limit."""

    @property
    def detail(self) -> str:
        """The detail of the 429 response: the limit, and how to raise it."""
        return (
            f"At most {self.slots} uploads and downloads of one {self.counted_by} at once in a web process"
            f" ({self.set_by})."
        )


def _transfer_limit(principal: Principal) -> _TransferLimit:
    """A key's own limit, counted by key, or the general one, counted by owner or address."""
    settings, key = config.current(), principal.key
    if key and key.max_transfers is not None:
        slots = settings.key_max_transfers(key.max_transfers)
        set_by = "flask keys change, --max-transfers; at most 7/8 of WEB_THREADS"
        return _TransferLimit(f"key {key.id}", slots, "key", set_by)
    if key:
        set_by = "MAX_TRANSFERS_PER_CLIENT, or for one key: flask keys change, --max-transfers"
        return _TransferLimit(principal.name, settings.max_transfers, "owner", set_by)
    set_by = "MAX_TRANSFERS_PER_CLIENT; a key can have a limit of its own; behind a proxy set FORWARDED_HOPS"
    return _TransferLimit(principal.name, settings.max_transfers, "address", set_by)


def _transfer_slot(limit: _TransferLimit, error: Problem) -> AbstractContextManager[None]:
    """A slot of this process: one client can't occupy all of its threads, however slow the transfers are."""
    return current_services().transfers.acquire(limit.name, limit.slots, error)
