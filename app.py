"""The factory that wires the parts. Nothing imports it; servers name it.

gunicorn -c gunicorn.conf.py "app:create_app()"
celery -A app.celery worker
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from flask import Flask

import cli
import config
import lease
import models
import rates
import removal
import slots
import spool
import storage
import tasks
import watching
import window
from doors import (
    answers,
    any_path,
    browsers,
    callers,
    headers,
    hosts,
    pages,
    parameters,
    query_names,
    request_ids,
)
from doors.api_docs import api_docs
from doors.downloads import downloads
from doors.statuses import statuses
from modes import async_, hand_out
from modes import celery as celery_mode
from routes import routes
from sweep.sweeper import Sweeper


def create_app(overrides: Mapping[str, str] | None = None) -> Flask:
    """The service, with the settings of the environment and `overrides` in front of them.

    Connects to nothing and writes nothing. Raises config.ConfigError for settings that make no sense.
    """
    cli.prepare_process()
    settings = config.load(overrides)
    app = Flask(__name__)
    app.config["FERRY"] = settings
    app.json.sort_keys = False  # type: ignore[attr-defined]
    models.init_app(app, settings.sqlalchemy_database_uri, settings.web_threads + settings.store_threads)
    storage.init_app(app, settings)
    spool.init_app(app, settings.spool_dir, settings.spool_budget)
    slots.init_app(app, settings.ferry_data)
    rates.init_app(app, settings.redis)
    callers.init_app(app)
    lease.init_app(app, settings.lease_seconds)
    watching.init_app(app, settings.most_watchers)
    window.init_app(app, settings)
    tasks.init_app(app, settings)
    async_.init_app(app, settings.store_threads)
    celery_mode.init_app(app)
    removal.init_app(app)
    app.extensions["sweep"] = Sweeper(
        app,
        hand_out,
        every=settings.sweep_seconds,
        uploads_every=settings.sweep_storage_seconds,
        objects_every=settings.sweep_grace,
        recall=celery_mode.recall,
        recall_every=2 * settings.lease_seconds,
    )
    any_path.init_app(app)
    request_ids.init_app(app)
    hosts.init_app(app, settings.forwarded_hops)
    browsers.init_app(app)
    parameters.init_app(app)
    query_names.init_app(app)
    headers.init_app(app)
    answers.init_app(app)
    pages.init_app(app)
    cli.init_app(app)
    app.register_blueprint(routes)
    app.register_blueprint(downloads)
    app.register_blueprint(statuses)
    app.register_blueprint(api_docs)
    return app


@cache
def _celery() -> Any:
    os.umask(0o077)  # A worker's files are for its own user alone, as the web service's are.
    return create_app().extensions["celery"]


def __getattr__(name: str) -> Any:
    """`app.celery`, made when Celery asks for it, so that importing this module makes nothing."""
    if name == "celery":
        return _celery()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
