"""CELERY_BROKER_URL: parsed once for every client library; TLS is verified by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from kombu.utils.url import parse_url as kombu_parse
from redis.connection import parse_url as redis_parse

from config import Config, ConfigError
from database.redis_options import default_queue, parse

ADDRESSES: list[tuple[str, dict[str, Any]]] = [
    ("redis://h", {"host": "h", "port": 6379, "db": 0}),
    ("redis://H.Example.COM:7000", {"host": "h.example.com", "port": 7000, "db": 0}),
    ("redis://h/", {"host": "h", "port": 6379, "db": 0}),
    ("redis://h/15", {"host": "h", "port": 6379, "db": 15}),
    ("redis://my_redis-1:6379/0", {"host": "my_redis-1", "port": 6379, "db": 0}),
    ("redis://[::1]:7000/2", {"host": "::1", "port": 7000, "db": 2}),
    ("redis://[2001:DB8::1]", {"host": "2001:db8::1", "port": 6379, "db": 0}),
    ("redis://127.0.0.1", {"host": "127.0.0.1", "port": 6379, "db": 0}),
    ("redis://:pw@h", {"password": "pw"}),
    ("redis://me:pw@h", {"username": "me", "password": "pw"}),
    ("redis://me@h", {"username": "me", "password": None}),
    ("redis://:@h", {"password": None}),
    ("redis://:p%40s%2Fs%3A%23%3F%25@h/1", {"password": "p@s/s:#?%", "host": "h", "db": 1}),
    ("redis://:p@s@h/1", {"password": "p@s", "host": "h", "db": 1}),
    ("redis://:a;b,c+d&e=f@h", {"password": "a;b,c+d&e=f", "host": "h"}),
    ("redis://:100%@h", {"password": "100%"}),
    ("redis://m%C3%A9:%C3%BC@h", {"username": "mé", "password": "ü"}),
    ("redis://:a:b@h", {"password": "a:b"}),
]


@pytest.mark.parametrize(("url", "expected"), ADDRESSES)
def test_every_library_parses_a_url_alike(url: str, expected: dict[str, Any]) -> None:
    """Also limits, which parses with redis-py."""
    options = parse(url)
    redis_py, kombu = redis_parse(options.url), kombu_parse(options.url)
    kombu = {
        "host": kombu["hostname"],
        "port": kombu["port"],
        "db": int(kombu["virtual_host"]),
        "username": kombu["userid"],
        "password": kombu["password"],
    }

    assert {name: redis_py.get(name) for name in expected} == expected
    assert {name: kombu[name] for name in expected} == expected
    assert (dict(options.tls), urlsplit(options.url).query) == ({}, "")
    assert "@" not in options.safe_url


REQUIRED = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}


@pytest.mark.parametrize(
    ("query", "tls"),
    [
        ("", REQUIRED),
        ("?", REQUIRED),
        ("?ssl_cert_reqs=required", REQUIRED),
        ("?ssl_cert_reqs=CERT_REQUIRED", REQUIRED),
        ("?ssl_cert_reqs=Required", REQUIRED),
        ("?ssl_cert_reqs=optional", REQUIRED | {"ssl_cert_reqs": "optional"}),
        ("?ssl_cert_reqs=CERT_OPTIONAL", REQUIRED | {"ssl_cert_reqs": "optional"}),
        ("?ssl_cert_reqs=none", {"ssl_cert_reqs": "none", "ssl_check_hostname": False}),
        ("?ssl_cert_reqs=CERT_NONE", {"ssl_cert_reqs": "none", "ssl_check_hostname": False}),
        ("?ssl_cert_reqs=none&ssl_check_hostname=0", {"ssl_cert_reqs": "none", "ssl_check_hostname": False}),
        ("?ssl_check_hostname=true", REQUIRED),
        ("?ssl_check_hostname=False", REQUIRED | {"ssl_check_hostname": False}),
        ("?ssl_check_hostname=no", REQUIRED | {"ssl_check_hostname": False}),
        ("?ssl_ca_certs={file}", REQUIRED | {"ssl_ca_certs": "{file}"}),
        ("?ssl_certfile={file}", REQUIRED | {"ssl_certfile": "{file}"}),
        (
            "?ssl_certfile={file}&ssl_keyfile={file}&ssl_ca_certs={file}&ssl_cert_reqs=required",
            REQUIRED | {"ssl_certfile": "{file}", "ssl_keyfile": "{file}", "ssl_ca_certs": "{file}"},
        ),
    ],
)
def test_tls_is_verified_by_default(query: str, tls: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a file.pem"
    path.write_text("")
    options = parse("rediss://h/0" + query.replace("{file}", str(path).replace(" ", "%20")))

    assert options.tls == {
        name: value.replace("{file}", str(path)) if isinstance(value, str) else value for name, value in tls.items()
    }
    assert options.url == "rediss://h:6379/0"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("rediss://:hunter2@h/0?ssl_cert_reqs=maybe", "ssl_cert_reqs must be required, optional or none"),
        ("rediss://:hunter2@h/0?ssl_cert_reqs=", "ssl_cert_reqs must be"),
        ("rediss://:hunter2@h/0?ssl_cert_reqs=0", "ssl_cert_reqs must be"),
        (
            "rediss://:hunter2@h/0?ssl_check_hostname=maybe",
            "ssl_check_hostname must be 1 or 0, yes or no, true or false",
        ),
        ("rediss://:hunter2@h/0?ssl_cert_reqs=none&ssl_check_hostname=1", "ssl_check_hostname=true needs"),
        ("rediss://:hunter2@h/0?ssl_cert_reqs=none&ssl_cert_reqs=required", "given once"),
        ("rediss://:hunter2@h/0?ssl_ca_certs=/not/there.pem", "ssl_ca_certs must be a file that exists"),
        ("rediss://:hunter2@h/0?ssl_ca_certs=", "ssl_ca_certs must be"),
        ("rediss://:hunter2@h/0?ssl_ca_certs=/", "ssl_ca_certs must be"),
        ("rediss://:hunter2@h/0?ssl_keyfile=/dev/null", "ssl_keyfile must be"),
        ("rediss://:hunter2@h/0?ssl_keyfile={file}", "ssl_keyfile needs ssl_certfile"),
        ("rediss://:hunter2@h/0?ssl=true", "ssl is unknown"),
        ("rediss://:hunter2@h/0?db=3", "db is unknown"),
        ("rediss://:hunter2@h/0?SSL_CERT_REQS=none", "an option is unknown"),
        ("rediss://:hunter2@h/0?socket_timeout=3", "Allowed are ssl_cert_reqs, ssl_ca_certs"),
        ("rediss://:hunter2@h/0?x", "x is unknown"),
        ("redis://:hunter2@h/0?ssl_cert_reqs=required", "need rediss://"),
        ("redis://:hunter2@h/0?db=1", "need rediss://"),
        ("redis://:hunter2@h/zero", "number of a database"),
        ("redis://:hunter2@h/0/1", "number of a database"),
        ("redis://:hunter2@h/-1", "number of a database"),
        ("redis://:hunter2@", "must name a host"),
        ("redis://:hunter2@/0", "must name a host"),
        ("redis://", "must name a host"),
        ("redis://:hunter2@a,b/0", "must name a host"),
        ("redis://:hunter2@a;redis://b/0", "must"),
        ("redis://:hunter2@h:0/0", "escaped"),
        ("redis://:hunter2@h:99999/0", "escaped"),
        ("redis://:hunter2@h:port/0", "escaped"),
        ("redis://:hunter2@[::1/0", "escaped"),
        ("redis://:hunter2@[nonsense]/0", "must"),
        ("redis://:hunter2/x@h/0", "escaped"),
        ("redis://:12/hunter2@h/0", "escaped"),
        ("redis://:hunter2#x@h/0", "escaped"),
        ("redis://:12#hunter2@h/0", "escaped"),
        ("redis://me:12?hunter2@h/0", "escaped"),
        ("rediss://me:12?hunter2=1@h/0", "escaped"),
        ("redis://me:12/?hunter2@h/0", "escaped"),
        ("redis://:hunter2 @h/0", "escaped"),
        ("redis://:hunter2@h/0\n", "escaped"),
        ("redis://:hunter2\t@h/0", "escaped"),
        ("REDIS://:hunter2@h/0", "must be redis://"),
        ("unix:///hunter2.sock", "Unix sockets"),
        ("redis+socket:///hunter2.sock", "Unix sockets"),
        ("sentinel://:hunter2@h:26379/0", "Sentinel"),
        ("redis+sentinel://:hunter2@h/0", "Sentinel"),
        ("valkey://:hunter2@h/0", "must be redis://"),
        ("amqp://me:hunter2@h", "must be redis://"),
        ("memory://", "must be redis://"),
        ("hunter2@h", "must be redis://"),
        ("redis:hunter2@h", "must be redis://"),
    ],
)
def test_an_invalid_url_stops_the_start(url: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("")
    with pytest.raises(ValueError) as refused:
        parse(url.replace("{file}", str(path)))

    assert message in str(refused.value)
    assert "hunter2" not in str(refused.value)
    if url == url.strip():
        with pytest.raises(ConfigError) as stopped:
            Config.from_env({"CELERY_BROKER_URL": url.replace("{file}", str(path))})
        assert "CELERY_BROKER_URL=(hidden)" in str(stopped.value)
        assert "hunter2" not in str(stopped.value)


SAME = [
    ("sqlite:////srv/ferry.db", "sqlite+pysqlite:////srv/ferry.db"),
    ("sqlite:////srv/ferry.db", "sqlite:////srv/x/../ferry.db"),
    ("sqlite:////srv/ferry.db", "sqlite:////srv/ferry.db?timeout=5"),
    ("postgresql://db/ferry", "postgresql+psycopg://db:5432/ferry"),
    ("postgresql://a:old@db/ferry", "postgresql://b:new@DB/ferry?sslmode=require"),
    ("postgresql:///ferry?host=db", "postgresql://db/ferry"),
    ("postgresql://localhost/ferry", "postgresql://127.0.0.1/ferry"),
]
OTHER = [
    ("sqlite:////srv/ferry.db", "sqlite:////srv/other/ferry.db"),
    ("postgresql://db/ferry", "postgresql://db2/ferry"),
    ("postgresql://db/ferry", "postgresql://db:5433/ferry"),
    ("postgresql://db/ferry", "postgresql://db/ferry2"),
    ("postgresql://db/ferry", "postgresql://db/ferry?options=-csearch_path%3Dtwo"),
    ("postgresql://ann@db", "postgresql://ben@db"),
    ("postgresql:///ferry?host=/run/a", "postgresql:///ferry?host=/run/b"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_urls_of_a_database_have_one_queue(one: str, other: str) -> None:
    assert default_queue(one) == default_queue(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_two_databases_have_two_queues(one: str, other: str) -> None:
    assert default_queue(one) != default_queue(other)


def test_a_database_behind_a_symbolic_link_has_the_same_queue(tmp_path: Path) -> None:
    (tmp_path / "true").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "true")

    assert default_queue(f"sqlite:///{tmp_path}/true/f.db") == default_queue(f"sqlite:///{tmp_path}/link/f.db")


def test_a_setting_names_the_queue() -> None:
    env = {"SQLALCHEMY_DATABASE_URI": "postgresql://me:hunter2@db/ferry"}
    own = Config.from_env(env).redis.queue

    assert own.startswith("ferry-")
    assert "hunter2" not in own
    assert Config.from_env({**env, "CELERY_QUEUE": "one.of_mine-2"}).redis.queue == "one.of_mine-2"


@pytest.mark.parametrize("name", ["a b", "a:b", "a/b", "-a", "{a}", "a*", "ä", "a" * 101, "a\x06\x163"])
def test_an_invalid_queue_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="CELERY_QUEUE="):
        Config.from_env({"CELERY_QUEUE": name})
