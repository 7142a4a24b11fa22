"""Every setting of Ferry: its name, its default, what it may be. Read once, from a mapping, at the start.

Nothing else in Ferry looks at the environment. A setting that makes no sense stops the start, by name.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import load_dotenv
from flask import current_app
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from database import redis_options
from database.redis_options import RedisOptions

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


@dataclass(frozen=True)
class Rate:
    """At most so many within so many seconds."""

    most: int
    seconds: int


class ConfigError(ValueError):
    """A setting makes no sense. The message names each such setting, its value and what is allowed."""


def _path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _prefix(value: str) -> str:
    if re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*/)+", value) and len(value) <= 512:
        return value
    raise ValueError("must end with a slash and be of letters, digits, '.', '_', '-' (512 at most), such as uploads/")


def _host(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}", value):
        return value
    try:
        return _ipv6(value)
    except ValueError:
        raise ValueError("must be an IP address or a host name, without port and zone, such as ::1") from None


def _ipv6(value: str) -> str:
    """An IPv6 address in its shortest form (RFC 5952), with or without brackets. Raises ValueError."""
    address = ipaddress.IPv6Address(value[1:-1] if re.fullmatch(r"\[.*\]", value) else value)
    if address.scope_id:
        raise ValueError("no setting takes a zone")
    return str(address)


def _each(one: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """A list with commas, of what `one` takes."""
    return lambda value: tuple(one(item.strip()) for item in value.split(","))


def _trusted_host(value: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,252}", value.lower()):
        return value.lower()
    try:
        return f"[{_ipv6(value)}]"
    except ValueError:
        raise ValueError("must be host names or IP addresses with commas between them, without ports") from None


def _origin(value: str) -> str:
    """An origin as browsers serialise it (RFC 6454 §6.2): a scheme, a host, and a port unless it is the scheme's own.

    The scheme may be that of an app in a web view, such as capacitor://localhost, tauri://localhost or app://.
    """
    if value == "null" or value.startswith(("file:", "data:", "blob:", "about:")):
        raise ValueError(
            "must be origins as browsers send them, but not null: every file:// page and every sandboxed frame has it."
            " Serve the page over http://, https:// or a scheme of its app"
        )
    exact = re.fullmatch(r"([a-z][a-z0-9+.-]*)://([A-Za-z0-9._~-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", value)
    if exact and _has_good_port(value) and _is_serialised(exact[1], exact[2], exact[3]):
        return value
    raise ValueError(
        "must be origins as browsers send them, with commas between them, such as https://app.example.com or"
        " capacitor://localhost: in lower case, without a path, a slash at the end, the default port or a wildcard"
    )


def _is_serialised(scheme: str, host: str, port: str | None) -> bool:
    """Whether a browser would write the origin this way. It knows the default port and the letters of http(s) only."""
    default = {"http": ":80", "https": ":443"}
    return scheme not in default or (host == host.lower() and port != default[scheme] and host[0] not in ".-")


def _bucket(value: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value):
        return value
    raise ValueError("must be 3 to 63 lower-case letters, digits, '.' and '-', as S3 has it")


def _region(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", value):
        return value
    raise ValueError("must be the name of a region, such as eu-central-1")


def _kms_key(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9:/_.-]{1,512}", value):
        return value
    raise ValueError("must be the id, the alias or the ARN of a KMS key")


def _http_url(value: str) -> str:
    if re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value) and _has_good_port(value):
        return value.rstrip("/")
    raise ValueError("must be an http:// or https:// address without a query or a password")


def _database_url(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if scheme in ("sqlite", "sqlite+pysqlite") and rest.startswith("//"):
        return value
    if scheme in ("postgresql", "postgresql+psycopg", "postgres") and separator:
        if rest.partition("?")[0].count("@") > 1:
            # What follows the first would be taken for the host, and an error would show it.
            raise ValueError("must have each @ of the password as %40")
        url = _with_hosts_apart(f"postgresql+psycopg://{rest}")
        if url and _has_good_port(url) and _can_connect(url):
            return url
    raise ValueError(
        "must be postgresql+psycopg://user:password@host:port/name, several hosts with commas between them,"
        " or sqlite:////absolute/path"
    )


def _with_hosts_apart(url: str) -> str | None:
    """libpq's list of hosts (`a:5432,b:5433`) in SQLAlchemy's words (`?host=a,b&port=5432,5433`). None: it is none."""
    match = re.fullmatch(r"([^:]+://(?:[^@/?#]*@)?)([^@/?#]*,[^@/?#]*)(/[^?#]*)?(?:\?(.*))?", url)
    if match is None:
        return url
    start, hosts, name, query = match.groups(default="")
    found = [re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]+))?", host) for host in hosts.split(",")]
    pairs = [(one[1] or one[2], one[3] or "5432") for one in found if one]
    if len(pairs) < len(found):
        return None
    names, ports = (",".join(each) for each in zip(*pairs, strict=True))
    return f"{start}{name or '/'}?host={names}&port={ports}{'&' if query else ''}{query}"


def _can_connect(url: str) -> bool:
    """Whether SQLAlchemy understands the address, and its ports are some."""
    try:
        parsed = make_url(url)
        _, arguments = parsed.get_dialect()().create_connect_args(parsed)
        return all(0 < int(port) < 65536 for port in str(arguments.get("port", "")).split(",") if port)
    except (ArgumentError, ValueError):
        return False


def _broker_url(value: str) -> str:
    redis_options.parse(value)
    return value


def _has_good_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _types(value: str) -> tuple[str, ...]:
    kinds = tuple(kind.strip().lower() for kind in value.split(","))
    if all(re.fullmatch(r"[a-z0-9][a-z0-9!#$&^_.+-]*/(\*|[a-z0-9][a-z0-9!#$&^_.+-]*)", kind) for kind in kinds):
        return kinds
    raise ValueError("must be media types with commas between them, such as image/*, application/pdf")


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value in allowed:
            return value
        raise ValueError(f"must be one of: {', '.join(allowed)}")

    return parse


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if re.fullmatch(r"[0-9]{1,12}", value) and low <= int(value) <= high:
            return int(value)
        raise ValueError(f"must be a whole number from {low} to {high}")

    return parse


def size(value: str) -> int:
    """`value` in bytes. Raises ValueError unless it is a number above 0, with a unit or without."""
    match = re.fullmatch(r"([0-9]{1,15}) ?(|[kmg]i?|ti)b?", value.lower())
    if match and int(match[1]) > 0:
        return int(match[1]) * _UNITS[match[2]]
    raise ValueError("must be a size in bytes above 0, such as 1048576, 20MB or 5GiB")


def _flag(value: str) -> bool:
    if value.lower() in ("1", "yes", "true"):
        return True
    if value.lower() in ("0", "no", "false"):
        return False
    raise ValueError("must be 1 or 0")


def _rate(value: str) -> Rate:
    match = re.fullmatch(r"([1-9][0-9]{0,8})/(second|minute|hour|day)", value)
    if match:
        return Rate(int(match[1]), {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[match[2]])
    raise ValueError("must be a number a second, minute, hour or day, such as 600/minute")


def _setting(default: str, parse: Callable[[str], Any], help: str, *, secret: bool = False, empty: Any = "") -> Any:
    meta = {"default": default, "parse": parse, "help": help, "secret": secret, "empty": empty}
    return field(repr=not secret, metadata=meta)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings, checked. A field's name in capitals is the name of the environment variable.

    Sizes are bytes, times are seconds. Fields that can carry a password stay out of the repr.
    """

    ferry_data: Path = _setting("var", _path, "Folder that everything is written to which has no place of its own.")
    host: str = _setting("127.0.0.1", _host, "Address that the web service listens on.")
    port: int = _setting("5000", _number(1, 65535), "Port that the web service listens on.")
    web_workers: int = _setting("2", _number(1, 64), "Processes of the web service.")
    web_threads: int = _setting("16", _number(1, 256), "Threads of each web process: requests served at once.")
    allow_anonymous: bool = _setting(
        "0",
        _flag,
        "1: whoever reaches Ferry may use it without a key. 0: only on loopback, and while no key exists.",
    )
    max_transfers_per_client: int | None = _setting(
        "",
        _number(1, 16384),
        "Uploads, other bodies and downloads of one caller at once, in a web process. Empty: 3/4 of WEB_THREADS.",
        empty=None,
    )
    upload_rate_limit: Rate | None = _setting(
        "", _rate, "Most uploads of one caller, such as 600/minute. Empty: no limit.", empty=None
    )
    request_rate_limit: Rate | None = _setting(
        "",
        _rate,
        "Most other requests of one caller, and 401s of one address, such as 6000/minute. Empty: no limit.",
        empty=None,
    )
    log_format: str = _setting("json", _one_of("json", "text"), "Lines of the log: json for machines, text for people.")
    trusted_hosts: tuple[str, ...] = _setting(
        "",
        _each(_trusted_host),
        "Names that the service answers under, with commas. Empty: on a loopback HOST only localhost's, else any.",
        empty=(),
    )
    forwarded_hops: int = _setting(
        "0", _number(0, 10), "Proxies in front whose X-Forwarded-For, -Proto, -Host and -Prefix are believed."
    )
    keepalive_timeout: int = _setting(
        "75",
        _number(1, 3600),
        "Time that an idle connection stays open: longer than any proxy in front keeps one, which is mostly 60.",
    )
    cors_origins: tuple[str, ...] = _setting(
        "",
        _each(_origin),
        "Origins of web sites and apps, with commas, whose pages may use the service. Empty: only its own.",
        empty=(),
    )
    sqlalchemy_database_uri: str = _setting(
        "sqlite:///{ferry_data}/ferry.db",
        _database_url,
        "Database. For PostgreSQL: postgresql+psycopg://user:password@host/name, or several hosts with commas.",
        secret=True,
    )
    celery_broker_url: str = _setting(
        "redis://127.0.0.1:6379/0",
        _broker_url,
        "Redis that carries the tasks. TLS: rediss://user:password@host/0",
        secret=True,
    )
    celery_queue: str = _setting(
        "",
        redis_options.queue_name,
        "Queue and start of all keys in Redis; the same for web service and worker. Empty: follows from the database.",
    )
    relay_inline_bytes: int = _setting(
        "256KiB", size, "Largest file that travels inside its task; a larger one goes in pieces."
    )
    relay_file_bytes: int = _setting("8MiB", size, "Most that the pieces of one file take up in Redis.")
    relay_total_bytes: int = _setting("64MiB", size, "Most that all files on their way take up in Redis.")
    spool_dir: Path = _setting(
        "{ferry_data}/spool", _path, "Folder for the bytes of accepted files until they are stored. A local disk."
    )
    max_file_size: int = _setting("5GiB", size, "Largest file that is accepted.")
    allowed_types: tuple[str, ...] = _setting(
        "",
        _types,
        "Types of files that are accepted, such as image/*, application/pdf. Empty: all. The bytes tell the type.",
        empty=(),
    )
    denied_types: tuple[str, ...] = _setting(
        "", _types, "Types of files that are refused all the same, such as text/html, image/svg+xml.", empty=()
    )
    default_ttl: int | None = _setting(
        "",
        _number(1, 315360000),
        "Time after which a file is deleted whose upload names none (expires_in). Empty: never.",
        empty=None,
    )
    body_timeout: int = _setting(
        "15",
        _number(1, 3600),
        "Time without a byte after which a request is given up; its headers have no longer in all.",
    )
    min_upload_rate: int = _setting(
        "10KB", size, "Bytes a second that a body must bring on average, over any two BODY_TIMEOUT."
    )
    shutdown_timeout: int = _setting(
        "60", _number(2, 3600), "Time that a stopped web process has to finish what it has begun."
    )
    store_threads: int = _setting("4", _number(1, 64), "Files that one web process stores at once for /async_upload.")
    lease_duration: int = _setting("60", _number(1, 3600), "Time after which a silent holder loses its file.")
    max_attempts: int = _setting(
        "20", _number(1, 1000), "Attempts to store a file before it ends as ERROR: 20 outlast three hours."
    )
    retry_delay: int = _setting(
        "5", _number(1, 900), "Pause before the second attempt; each further one is twice as long, up to 15 minutes."
    )
    sweep_interval: int = _setting("5", _number(1, 3600), "Pause between two looks for files that nobody works on.")
    multipart_sweep_interval: int = _setting(
        "600", _number(1, 86400), "Pause between two looks for uploads in parts that nobody ends."
    )
    orphan_grace: int = _setting(
        "86400",
        _number(1, 8640000),
        "Time before what has no row is removed, and pause between two looks at all objects.",
    )
    failed_retention: int = _setting(
        "86400", _number(0, 8640000), "Time that the bytes of a file in ERROR stay in the spool, to be tried again."
    )
    failed_row_retention: int = _setting(
        "86400",
        _number(1, 8640000),
        "Time that a file in ERROR stays whose bytes are not kept, for its reason to be read; others as long as those.",
    )
    spool_max_bytes: int | None = _setting(
        "",
        size,
        "Most bytes in the spool; more are refused with 503. One client has half. Empty: what the disk has room for.",
        empty=None,
    )
    storage: str = _setting("s3", _one_of("s3", "memory"), "Where objects go: s3, or memory (tests; lost at the end).")
    s3_bucket_name: str = _setting("ferry", _bucket, "Bucket that holds the objects.")
    s3_bucket_base_url: str = _setting(
        "", _http_url, "Public address of the bucket or its CDN; url is this plus the key. Empty: the endpoint's own."
    )
    s3_endpoint_url: str = _setting("", _http_url, "Address of an S3-compatible server. Empty: AWS.")
    s3_part_threads: int = _setting(
        "4", _number(1, 64), "Parts that one process sends at once. Each takes 8 MiB of memory."
    )
    s3_sign_payload: str = _setting(
        "no",
        _one_of("no", "yes"),
        "Whether the bytes are signed too, for storages that insist. Costs a SHA-256 more.",
    )
    s3_addressing: str = _setting(
        "auto",
        _one_of("auto", "path", "virtual"),
        "Where an address has the bucket. auto: in its path with S3_ENDPOINT_URL or a dotted name, else in its host.",
    )
    s3_checksum: str = _setting(
        "crc32",
        _one_of("crc32", "md5", "none"),
        "Digest that is sent with the bytes. Where the storage refuses one, the next is taken, and the log says so.",
    )
    s3_sse: str = _setting(
        "", _one_of("AES256", "aws:kms", "aws:kms:dsse"), "Encryption by the storage. Empty: as the bucket says."
    )
    s3_sse_kms_key_id: str = _setting("", _kms_key, "Key for it, with aws:kms, which is then the default of S3_SSE.")
    aws_default_region: str = _setting("", _region, "Region of the bucket. Empty: AWS_REGION, ~/.aws or us-east-1.")
    aws_region: str = _setting("", _region, "Region of the bucket, where AWS_DEFAULT_REGION is empty.")
    s3_prefix: str = _setting("", _prefix, "Start of every key, such as uploads/")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Config:
        """Read every setting from `env`; one that is missing or empty takes its default.

        Raises ConfigError that names all settings that make no sense.
        """
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for item in fields(cls):
            name, meta = item.name.upper(), item.metadata
            text = (env.get(name, "").strip() or meta["default"]).replace(
                "{ferry_data}", str(values.get("ferry_data", ""))
            )
            try:
                values[item.name] = meta["parse"](text) if text else meta["empty"]
            except ValueError as error:
                values[item.name] = ""
                wrong.append(f"{name}={'(hidden)' if meta['secret'] or '@' in text else text}: {error}")
        if values["s3_sse_kms_key_id"] and values["s3_sse"] == "AES256":
            wrong.append("S3_SSE_KMS_KEY_ID: goes with S3_SSE=aws:kms or aws:kms:dsse only")
        if wrong:
            raise ConfigError("Ferry can't start with these settings:\n  " + "\n  ".join(wrong))
        return cls(**values)

    @property
    def is_loopback(self) -> bool:
        """Whether HOST can be reached from this machine only."""
        try:
            ip = ipaddress.ip_address(self.host)
        except ValueError:
            return self.host.lower() == "localhost"
        return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback

    @cached_property
    def redis(self) -> RedisOptions:
        """How Redis is reached, and under which names."""
        queue = self.celery_queue or redis_options.default_queue(self.sqlalchemy_database_uri)
        return redis_options.parse(self.celery_broker_url, queue)

    @property
    def bind(self) -> str:
        """HOST and PORT as gunicorn takes them: IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def max_transfers(self) -> int:
        """Uploads and downloads of one caller at once, in a web process: never all its threads, unless one is all."""
        return self.max_transfers_per_client or max(1, self.web_threads * 3 // 4)

    def key_max_transfers(self, wanted: int) -> int:
        """Transfers at once, in a web process, of a key with a bound of its own: an eighth of the threads is left."""
        return min(wanted, max(1, self.web_threads - max(1, self.web_threads // 8)))

    @property
    def max_watchers(self) -> int:
        """Requests that only wait, at once in a web process: a quarter of its threads, and never the last of them."""
        return min(max(1, self.web_threads // 4), self.web_threads - 1)

    @property
    def encryption(self) -> str:
        """What objects are encrypted with by the storage; empty: as its bucket says."""
        return self.s3_sse or ("aws:kms" if self.s3_sse_kms_key_id else "")


def load(overrides: Mapping[str, str] | None = None) -> Config:
    """Read the environment, with `.env` of the working folder behind it and `overrides` in front.

    `.env` goes into the process's environment, because boto3 looks for AWS_ACCESS_KEY_ID and its kin there.
    """
    load_dotenv(Path(".env"))
    return Config.from_env({**os.environ, **(overrides or {})})


def current() -> Config:
    """The settings of the current app. Needs an app context."""
    settings: Config = current_app.config["FERRY"]
    return settings
