"""Addresses with a password: they may name several hosts, and no error or repr repeats them."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url

from config import Config, ConfigError


@pytest.mark.parametrize(
    ("value", "host", "port"),
    [
        ("postgresql+psycopg://me:p%40ss@db/f", "db", None),
        ("postgresql://me@db:5433/f?sslmode=require&channel_binding=require", "db", 5433),
        ("postgres://me@[::1]:5433/f", "::1", 5433),
        ("postgresql://me@a,b/f?target_session_attrs=read-write", "a,b", "5432,5432"),
        ("postgresql://me:p@a:5433,[::1]:5434,c/f", "a,::1,c", "5433,5434,5432"),
        ("postgresql://a:5433,b:5434", "a,b", "5433,5434"),
        ("postgresql://me@/f?host=a:5433&host=b:5434", "a,b", "5433,5434"),
        ("postgresql://me@/f?host=a,b&port=5433,5434", "a,b", "5433,5434"),
        ("postgresql:///f?host=/run/postgresql", "/run/postgresql", None),
    ],
)
def test_a_postgresql_may_have_several_hosts(value: str, host: str, port: object) -> None:
    url = make_url(Config.from_env({"SQLALCHEMY_DATABASE_URI": value}).sqlalchemy_database_uri)
    _, arguments = url.get_dialect()().create_connect_args(url)

    assert url.drivername == "postgresql+psycopg"
    assert (arguments["host"], arguments.get("port")) == (host, port)
    assert "target_session_attrs=read-write" not in value or arguments["target_session_attrs"] == "read-write"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SQLALCHEMY_DATABASE_URI", "mysql://me:hunter2@host/db"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql+psycopg2://me:hunter2@host/db"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://me:at@hunter2@host/db"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://me:at@hunter2/db@host/db"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://me:hunter2@a:1,b:x/db"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://me:hunter2@a:1,b:99999/db"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://me:hunter2@a:1,/db"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://me:hunter2@a:1,b/db?host=c"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://me:hunter2@/db?host=a:1&host=b:x"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://me:hunter2@/db?host=a,b&port=1,2,3"),
        ("SQLALCHEMY_DATABASE_URI", "postgresql://me:hunter2@host:port/db"),
        ("SQLALCHEMY_DATABASE_URI", "sqlite://hunter2"),
        ("SQLALCHEMY_DATABASE_URI", "sqlite:///hunter2.db"),
        ("SQLALCHEMY_DATABASE_URI", "sqlite+nope:////hunter2.db"),
        ("CELERY_BROKER_URL", "amqp://me:hunter2@host"),
        ("CELERY_BROKER_URL", "redis://:hunter2@host:port/0"),
        ("S3_ENDPOINT_URL", "https://me:hunter2@s3"),
        ("S3_BUCKET_BASE_URL", "https://me:hunter2@cdn"),
    ],
)
def test_an_invalid_secret_is_not_repeated(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Config.from_env({name: value})

    assert f"{name}=(hidden)" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_secrets_stay_out_of_the_repr() -> None:
    config = Config.from_env(
        {"SQLALCHEMY_DATABASE_URI": "postgresql://me:hunter2@db/f", "CELERY_BROKER_URL": "redis://:hunter2@r/0"}
    )

    assert "hunter2" not in repr(config)
