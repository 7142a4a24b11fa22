"""Fixtures of all tests: an app for each test, and real servers shared by a session."""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import shutdown
from app import create_app
from config import SETTINGS
from dev import parts
from dev.process import Process, free_port
from spool import Spool
from tests.fakes import services_of
from tests.harness.moto import moto as start_moto
from tests.harness.postgres import Postgres, url
from tests.harness.stack import Stack

# The developer's own settings must not reach the tests.
os.environ["PYTHON_DOTENV_DISABLED"] = "1"
for setting in SETTINGS:
    os.environ.pop(setting, None)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema, made by the migrations."""
    path = tmp_path_factory.mktemp("schema") / "ferry.db"
    parts.upgrade({"SQLALCHEMY_DATABASE_URI": f"sqlite:///{path}", "STORAGE": "memory"})
    return path


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real `valkey-server`."""
    port = free_port()
    for _ in _served(parts.redis(tmp_path_factory.mktemp("valkey"), port), port):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Undo the logging set-up of a command."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Give children the default actions: nohup ignores SIGHUP, `&` in a script SIGINT, and children inherit that."""
    actions = {signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    previous = {number: signal.signal(number, action) for number, action in actions.items()}
    yield
    for number, action in previous.items():
        signal.signal(number, action)


@pytest.fixture
def settings(tmp_path: Path, empty_database: Path, valkey: str) -> dict[str, str]:
    """Settings of an app that keeps everything in memory or below `tmp_path`. Override to add some."""
    shutil.copy(empty_database, tmp_path / "ferry.db")
    return {
        "FERRY_DATA": str(tmp_path),
        "STORAGE": "memory",
        "CELERY_BROKER_URL": valkey,
        "MAX_FILE_SIZE": "10MiB",
        "LEASE_DURATION": "3",
        "MAX_ATTEMPTS": "5",
    }


@pytest.fixture
def services() -> dict[str, Any]:
    """Services that replace those of the app, by field of `Services`. Override to pass some."""
    return {}


@pytest.fixture
def app(settings: dict[str, str], services: dict[str, Any]) -> Iterator[Flask]:
    """An app that runs Celery tasks at once, in the thread that sends them."""
    app = create_app(settings, services)
    services_of(app).celery.conf.task_always_eager = True
    with app.app_context():
        yield app
        services_of(app).changes.stop()
        drain(app)
        services_of(app).storage.close()
        services_of(app).relay.close()
        app.extensions["sqlalchemy"].engine.dispose()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """A spool without a limit, whose folder does not exist yet."""
    return Spool(tmp_path / "spool")


@pytest.fixture(scope="module")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL with the schema, made by the migrations."""
    folder, port, server = tmp_path_factory.mktemp("postgres"), free_port(), Postgres()
    process = server.start(port, folder / "database.log")
    try:
        parts.upgrade({"SQLALCHEMY_DATABASE_URI": url(port), "STORAGE": "memory", "FERRY_DATA": str(folder)})
        yield url(port)
    finally:
        process.kill()
        server.remove()


@pytest.fixture
def app_on_postgresql(postgresql_server: str, settings: dict[str, str]) -> Iterator[Flask]:
    app = create_app(settings | {"SQLALCHEMY_DATABASE_URI": postgresql_server})
    with app.app_context():
        yield app
        services_of(app).relay.close()
        app.extensions["sqlalchemy"].engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real `rclone serve s3` with the bucket `ferry`."""
    port = free_port()
    yield from _served(parts.s3(tmp_path_factory.mktemp("rclone"), port), port)


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a moto server with the bucket `ferry`."""
    port = free_port()
    yield from _served(start_moto(tmp_path_factory.mktemp("moto"), port), port)


def drain(app: Flask) -> None:
    """Wait for the background jobs of answered requests."""
    shutdown.drain(app, cancel_pending=False)


def _served(process: Process, port: int) -> Iterator[str]:
    with process:
        process.wait_for(port)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All processes of Ferry, shared by the tests of a module: they must not break it."""
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """All processes of Ferry, for a test that breaks some."""
    with Stack(tmp_path) as stack:
        yield stack
