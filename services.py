"""The objects that live as long as an app: storage, spool, pools, leases … in one typed container.

`create_app` builds the container, tests may replace fields of it, and `current_services()` is the only way to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from flask import current_app

if TYPE_CHECKING:  # Every layer above reaches its services through here: at run time this module imports none of them.
    from celery import Celery

    from auth.authenticator import Authenticator
    from background import BackgroundPool
    from database.engine import Database
    from lifecycle.changes import ChangePoller
    from lifecycle.delivery import Outbox
    from lifecycle.leases import LeaseRenewer
    from quotas.concurrency import HostSlots
    from quotas.rate_limits import RateLimiter
    from relay.relay import Relay
    from relay.server import RelayServer
    from server.slots import ProcessSlots
    from spool import Spool
    from storage.base import Storage
    from sweep.sweeper import Sweeper

EXTENSION = "ferry"
"""The container's key in `app.extensions`."""


class Drainable(Protocol):
    """Background work that must end before the process does."""

    def drain(self, *, cancel_pending: bool) -> None:
        """Return when running jobs have ended, and pending ones too unless they are cancelled."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """The services of one app. None of them connects to anything or starts a thread before its first use."""

    database: Database
    storage: Storage
    spool: Spool
    transfers: ProcessSlots
    """Slots for concurrent uploads and downloads in this process, by client."""
    host_slots: HostSlots
    """Slots for concurrent uploads in all processes of this host, by owner."""
    rate_limits: RateLimiter
    authenticator: Authenticator
    leases: LeaseRenewer
    changes: ChangePoller
    """Pushes status changes to clients that wait for them."""
    celery: Celery
    relay: Relay
    store_pool: BackgroundPool
    """Threads that store the files of mode `async`."""
    dispatch_pool: BackgroundPool
    """Threads that queue Celery tasks."""
    relay_server: RelayServer
    """Threads that send the bytes of large files to Celery workers."""
    purge_pool: BackgroundPool
    """Threads that purge deleted files."""
    outbox: Outbox
    """Calls the subscribers of COMPLETE files."""
    sweeper: Sweeper

    @property
    def drainables(self) -> tuple[Drainable, ...]:
        """Every service with work of its own in the background, in the order of their shutdown."""
        return self.store_pool, self.dispatch_pool, self.relay_server, self.purge_pool, self.outbox

    def stop(self) -> None:
        """Start no further work and answer every waiting client. May be called by a signal handler."""
        self.sweeper.stop()
        self.changes.stop()

    def drain(self, *, cancel_pending: bool) -> None:
        """Return when running background jobs have ended, and pending ones too unless they are cancelled."""
        for service in self.drainables:
            service.drain(cancel_pending=cancel_pending)

    def close(self) -> None:
        """Close the connections to the storage and to Redis."""
        self.storage.close()
        self.relay.close()


def current_services() -> Services:
    """The services of the current app. Needs an app context."""
    services: Services = current_app.extensions[EXTENSION]
    return services
