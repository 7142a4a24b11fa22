"""The application factory. No module imports this one; gunicorn and Celery do.

gunicorn -c gunicorn.conf.py "app:create_app()"
celery -A app.celery worker
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from flask import Flask

import cli
import config
import models
import tasks
from api import any_path, forwarded, pages, query_names, request_ids, responses
from api.docs import api_docs
from api.downloads import downloads
from api.files import files
from auth.authenticator import Authenticator
from auth.key_cache import KeyCache
from background import BackgroundPool
from config import Config
from lifecycle import deletion
from lifecycle.changes import ChangePoller
from lifecycle.delivery import Outbox
from lifecycle.leases import LeaseRenewer
from modes import celery_ as celery_mode
from modes import dispatch
from quotas.concurrency import HostSlots
from quotas.rate_limits import RateLimiter
from relay.relay import INLINE_BYTES, Relay
from relay.server import RelayServer
from routes import routes
from security import cross_site, headers, trusted_hosts
from server.slots import ProcessSlots
from services import EXTENSION, Services, current_services
from spool import Spool
from storage import registry
from sweep.sweeper import Sweeper


def create_app(overrides: Mapping[str, str] | None = None, services: Mapping[str, Any] | None = None) -> Flask:
    """Create the app. `overrides` take precedence over the environment.

    `services` replaces fields of `Services` by name: `create_app(services={"storage": MemoryStorage()})`.
    Opens no connection and writes no file. Raises config.ConfigError for invalid settings.
    """
    cli.prepare_process()
    settings = config.load(overrides)
    app = Flask(__name__)
    app.config["FERRY"] = settings
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions[EXTENSION] = replace(_services(app, settings), **(services or {}))
    forwarded.init_app(app, settings.forwarded_hops)
    any_path.init_app(app)
    # Checks run in this order: first the request id, so that every error has one; then host and origin, so that a
    # request from a foreign site gets no other error; then the query. Hooks at the end of a request run in the reverse
    # order: the log context is cleared last.
    request_ids.init_app(app)
    trusted_hosts.init_app(app, settings)
    cross_site.init_app(app)
    query_names.init_app(app)
    headers.init_app(app)
    responses.init_app(app)
    pages.init_app(app)
    cli.init_app(app)
    app.register_blueprint(routes)
    app.register_blueprint(downloads)
    app.register_blueprint(files)
    app.register_blueprint(api_docs)
    return app


def _services(app: Flask, settings: Config) -> Services:
    return Services(
        database=models.init_app(app, settings.sqlalchemy_database_uri, settings.web_threads + settings.store_threads),
        storage=registry.create(settings.storage, settings.storage_settings),
        spool=Spool(settings.spool_dir, settings.spool_max_bytes),
        transfers=ProcessSlots(),
        host_slots=HostSlots(settings.ferry_data / "slots"),
        rate_limits=RateLimiter(settings.redis),
        authenticator=Authenticator(KeyCache()),
        leases=LeaseRenewer(app, settings.lease_duration),
        changes=ChangePoller(app, settings.max_watchers),
        celery=tasks.create_celery(app, settings),
        relay=Relay(settings.redis, settings.relay_file_bytes, settings.relay_total_bytes, INLINE_BYTES),
        store_pool=BackgroundPool(app, "ferry-store", settings.store_threads),
        dispatch_pool=BackgroundPool(app, "ferry-dispatch", celery_mode.DISPATCH_THREADS),
        relay_server=RelayServer(app),
        purge_pool=BackgroundPool(app, "ferry-purge", deletion.PURGE_THREADS),
        outbox=Outbox(app),
        sweeper=Sweeper(
            app,
            dispatch,
            every=settings.sweep_interval,
            multipart_every=settings.multipart_sweep_interval,
            objects_every=settings.orphan_grace,
            requeue_lost=celery_mode.requeue_lost_tasks,
            requeue_lost_every=2 * settings.lease_duration,
        ),
    )


@cache
def _celery() -> Any:
    os.umask(0o077)  # Files of a worker are private to its user, as in gunicorn.conf.py.
    with create_app().app_context():
        return current_services().celery


def __getattr__(name: str) -> Any:
    """`app.celery`, created on first use: importing this module has no side effects."""
    if name == "celery":
        return _celery()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
