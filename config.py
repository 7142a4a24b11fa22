"""Every setting: its name, default and parser. Read once, at the start; nothing else in Ferry reads the environment.

No name ends in a unit of time: durations take seconds or 90s, 15m, 24h, 7d, and are seconds in `Config`.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from dotenv import load_dotenv
from flask import current_app

import config_types as types
from config_types import RETIRED, Rate, declared, setting
from database import redis_options, urls
from database.redis_options import RedisOptions
from storage import registry


class ConfigError(ValueError):
    """Invalid settings. The message has a line for each: its name, value and what is accepted."""


def _broker_url(value: str) -> str:
    redis_options.parse(value)
    return value


_service = partial(setting, "Web service")
_storage = partial(setting, "Storage")
_spool = partial(setting, "Database and spool")
_queue = partial(setting, "Queue")
_limits = partial(setting, "Limits")
_security = partial(setting, "Security")
_timing = partial(setting, "Timing")
_up_to_1h, _up_to_100d = types.duration("1s", "1h"), types.duration("1s", "100d")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The validated settings. A field's name in capitals is the environment variable; bytes and seconds are integers.

    docs/settings.md, .env.example and README's table are generated from the fields (`python -m dev.settings`).
    """

    ferry_data: Path = _service("var", types.path, "Folder of the database, the spool and lock files.")
    host: str = _service("127.0.0.1", types.host, "Address to listen on.")
    port: int = _service("5000", types.integer(1, 65535), "Port to listen on.")
    web_workers: int = _service("2", types.integer(1, 64), "Web processes.")
    web_threads: int = _service("16", types.integer(1, 256), "Threads of each web process: concurrent requests.")
    store_threads: int = _service("4", types.integer(1, 64), "Threads of each web process for async uploads.")
    log_format: str = _service("json", types.one_of("json", "text"), "Log lines.")

    storage: str = _storage(
        registry.DEFAULT, types.one_of(*registry.BACKENDS), "Backend: s3, or memory (for tests; lost at exit)."
    )
    storage_settings: Any
    """The settings of that backend, as it declares them."""

    sqlalchemy_database_uri: str = _spool(
        "sqlite:///{ferry_data}/ferry.db",
        urls.parse,
        "PostgreSQL: postgresql+psycopg://user:password@host/name, or several hosts with commas.",
        secret=True,
    )
    spool_dir: Path = _spool(
        "{ferry_data}/spool", types.path, "Folder for the bytes of accepted files until they are stored. A local disk."
    )
    spool_max_bytes: int | None = _spool(
        "", types.size, "Size of the spool; beyond it uploads get 503. One client has half. Empty: the free disk space."
    )

    celery_broker_url: str = _queue(
        "redis://127.0.0.1:6379/0", _broker_url, "Redis. TLS: rediss://user:password@host/0", secret=True
    )
    celery_queue: str = _queue(
        "", redis_options.queue_name, "Queue, and prefix of all Redis keys. Empty: derived from the database's URL."
    )
    relay_file_bytes: int = _queue("8MiB", types.size, "Memory in Redis for the pieces of one file.")
    relay_total_bytes: int = _queue("64MiB", types.size, "Memory in Redis for all files in transit.")

    max_file_size: int = _limits("5GiB", types.size, "Largest accepted file.")
    allowed_types: tuple[str, ...] = _limits(
        "", types.media_types, "Accepted types, such as image/*, application/pdf; detected from the bytes. Empty: all."
    )
    denied_types: tuple[str, ...] = _limits(
        "", types.media_types, "Rejected types, such as text/html, image/svg+xml; overrides ALLOWED_TYPES."
    )
    max_transfers_per_client: int | None = _limits(
        "",
        types.integer(1, types.MAX_TRANSFERS),
        "Concurrent transfers of one client in a web process. Empty: 3/4 of WEB_THREADS.",
    )
    upload_rate_limit: Rate | None = _limits("", types.rate, "Uploads per client, like 600/minute. Empty: unlimited.")
    request_rate_limit: Rate | None = _limits(
        "", types.rate, "Other requests per client, and 401s per address, like 6000/minute. Empty: unlimited."
    )
    min_upload_rate: int = _limits(
        "10KB",
        types.size,
        "Minimum bytes per second of bodies, and responses except downloads, over twice BODY_TIMEOUT.",
    )
    max_attempts: int = _limits(
        "20", types.integer(1, 1000), "Attempts to store a file before its status is ERROR; 20 last over three hours."
    )

    allow_anonymous: bool = _security(
        "0", types.boolean, "Accept requests without a key. 0: only on loopback, and only while no key exists."
    )
    trusted_hosts: tuple[str, ...] = _security(
        "", types.list_of(types.trusted_host), "Hosts, with commas. Empty: localhost's if HOST is loopback, else any."
    )
    forwarded_hops: int = _security(
        "0", types.integer(0, 10), "Proxies in front whose X-Forwarded-For, -Proto, -Host and -Prefix are trusted."
    )
    cors_origins: tuple[str, ...] = _security(
        "", types.list_of(types.origin), "Origins that may call the API from a browser, with commas. Empty: its own."
    )

    body_timeout: int = _timing(
        "15s", _up_to_1h, "Limit for a request head, a pause in a body, an unread response, a closing connection."
    )
    keepalive_timeout: int = _timing("75s", _up_to_1h, "Idle time of a connection; longer than that of proxies (60s).")
    shutdown_timeout: int = _timing(
        "60s", types.duration("2s", "1h"), "Time a stopped web process has to finish its requests and uploads."
    )
    lease_duration: int = _timing("60s", _up_to_1h, "Validity of a claim without a heartbeat.")
    retry_delay: int = _timing(
        "5s",
        types.duration("1s", "15m"),
        "Delay before the second attempt; doubles each time, up to 15 minutes; each ± 25 %.",
    )
    sweep_interval: int = _timing("5s", _up_to_1h, "Interval of the sweep for abandoned files.")
    orphan_grace: int = _timing("24h", _up_to_100d, "Age at which orphans are removed, interval of listing objects.")
    failed_retention: int = _timing(
        "24h", types.duration("0s", "100d"), "Time a file with status ERROR keeps its spooled bytes, for a retry."
    )
    failed_row_retention: int = _timing(
        "24h", _up_to_100d, "Time a file with status ERROR is listed without its bytes."
    )
    default_ttl: int | None = _timing(
        "", types.duration("1s", "3650d"), "Time until a file without expires_in is deleted. Empty: never."
    )

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Config:
        """Parse every setting from `env`; one that is missing or empty has its default.

        Raises ConfigError with a line for every invalid or retired setting.
        """
        errors = [f"{name}: {RETIRED[name]}" for name in RETIRED if env.get(name, "").strip()]
        values = types.read(cls, env, errors)
        backends = {
            name: types.parse(backend.settings, env, errors, values) for name, backend in registry.BACKENDS.items()
        }
        if errors:
            raise ConfigError("Ferry can't start with these settings:\n  " + "\n  ".join(errors))
        return cls(**values, storage_settings=backends[values["storage"]])

    @property
    def is_loopback(self) -> bool:
        """Whether HOST is reachable from this machine only."""
        try:
            ip = ipaddress.ip_address(self.host)
        except ValueError:
            return self.host.lower() == "localhost"
        return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback

    @cached_property
    def redis(self) -> RedisOptions:
        """URL, TLS options and key prefix of Redis."""
        queue = self.celery_queue or redis_options.default_queue(self.sqlalchemy_database_uri)
        return redis_options.parse(self.celery_broker_url, queue)

    @property
    def bind(self) -> str:
        """HOST and PORT in gunicorn's form: IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def max_transfers(self) -> int:
        """Concurrent uploads and downloads of one client in a web process; leaves threads for others by default."""
        return self.max_transfers_per_client or max(1, self.web_threads * 3 // 4)

    def key_max_transfers(self, requested: int) -> int:
        """`requested` transfers for a key with its own limit, capped so that an eighth of the threads is left."""
        return min(requested, max(1, self.web_threads - max(1, self.web_threads // 8)))

    @property
    def max_watchers(self) -> int:
        """Concurrent long polls and event streams in a web process: a quarter of its threads, never the last one."""
        return min(max(1, self.web_threads // 4), self.web_threads - 1)

    @property
    def multipart_sweep_interval(self) -> int:
        """Seconds between two listings of multipart uploads: a fifth of ORPHAN_GRACE, at most ten minutes."""
        return min(600, max(1, self.orphan_grace // 5))


def _declared() -> dict[str, Mapping[str, Any]]:
    found = [declared(Config), *(declared(backend.settings) for backend in registry.BACKENDS.values())]
    settings = {name.upper(): meta for each in found for name, meta in each.items()}
    themes = list(dict.fromkeys(meta["theme"] for meta in settings.values()))
    return dict(sorted(settings.items(), key=lambda setting: themes.index(setting[1]["theme"])))


SETTINGS = _declared()
"""The metadata of every setting, those of all backends too, by its name and grouped by theme."""


def load(overrides: Mapping[str, str] | None = None) -> Config:
    """Read the settings; `overrides` win over the environment, which wins over `.env` of the working folder.

    `.env` is loaded into the process's environment, because boto3 reads AWS_ACCESS_KEY_ID and its kin there.
    """
    load_dotenv(Path(".env"))
    return Config.from_env({**os.environ, **(overrides or {})})


def current() -> Config:
    """The settings of the current app. Needs an app context."""
    settings: Config = current_app.config["FERRY"]
    return settings
