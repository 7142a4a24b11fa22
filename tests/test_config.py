"""Settings: defaults, validation, retired names, derived values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app import create_app
from config import Config, ConfigError
from config_types import RETIRED
from dev.settings import SETTINGS, accepted


def test_an_empty_environment_gives_every_default() -> None:
    config = Config.from_env({})

    assert config.port == 5000
    assert config.max_file_size == 5 * 2**30
    assert config.spool_dir == Path("var/spool").absolute()
    assert config.sqlalchemy_database_uri == f"sqlite:///{Path('var').absolute()}/ferry.db"


def test_paths_follow_the_data_folder() -> None:
    config = Config.from_env({"FERRY_DATA": "/srv/ferry"})

    assert config.spool_dir == Path("/srv/ferry/spool")
    assert config.sqlalchemy_database_uri == "sqlite:////srv/ferry/ferry.db"


def test_an_empty_value_means_the_default() -> None:
    assert Config.from_env({"PORT": " "}).port == 5000


def test_an_empty_list_accepts_everything() -> None:
    assert Config.from_env({}).allowed_types == ()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("MAX_FILE_SIZE", "ten", "a size in bytes above 0"),
        ("MAX_FILE_SIZE", "0", "a size in bytes above 0"),
        ("MAX_FILE_SIZE", "-1", "a size in bytes above 0"),
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("PORT", "5000.0", "a whole number from 1 to 65535"),
        ("STORAGE", "S3", "one of: s3, memory"),
        ("S3_PREFIX", "../up/", "must end with a slash"),
        ("S3_PREFIX", "uploads", "must end with a slash"),
        ("S3_ENDPOINT_URL", "localhost:9000", "an http:// or https:// address"),
        ("S3_ENDPOINT_URL", "http://s3:port", "an http:// or https:// address"),
        ("S3_ENDPOINT_URL", "http://s3:99999", "an http:// or https:// address"),
        ("S3_BUCKET_NAME", "My Bucket/../!", "3 to 63 lower-case letters"),
        ("HOST", "no such host", "an IP address or a host name"),
        ("HOST", "[::1]:5000", "without port and zone"),
        ("HOST", "[::1", "an IP address or a host name"),
        ("HOST", "fe80::1%eth0", "without port and zone"),
        ("HOST", "::1::", "an IP address or a host name"),
        ("HOST", "127.0.0.1:5000", "an IP address or a host name"),
        ("S3_SIGN_PAYLOAD", "maybe", "1 or 0, yes or no, true or false, on or off"),
        ("ALLOWED_TYPES", "image", "media types with commas between them"),
        ("ALLOWED_TYPES", "*/*", "media types with commas between them"),
        ("DENIED_TYPES", "text/html,", "media types with commas between them"),
        ("DENIED_TYPES", "text/html; charset=utf-8", "media types with commas between them"),
        ("LOG_FORMAT", "xml", "one of: json, text"),
        ("FORWARDED_HOPS", "11", "a whole number from 0 to 10"),
        ("TRUSTED_HOSTS", "*", "host names or IP addresses"),
        ("TRUSTED_HOSTS", "ferry.example.com:443", "without ports"),
        ("TRUSTED_HOSTS", "a.example.com,", "host names or IP addresses"),
        ("TRUSTED_HOSTS", "[::1]:5000", "without ports"),
        ("TRUSTED_HOSTS", "[fe80::1%eth0]", "host names or IP addresses"),
        ("KEEPALIVE_TIMEOUT", "0", "from 1s to 1h: seconds, or with a unit, such as 90s, 15m, 24h or 7d"),
        ("S3_ENDPOINT_URL", "http://::1:9000", "an http:// or https:// address"),
        ("S3_ENDPOINT_URL", "http://[::1:9000", "an http:// or https:// address"),
        ("CORS_ORIGINS", "*", "origins as browsers send them"),
        ("CORS_ORIGINS", "null", "not null"),
        ("CORS_ORIGINS", "https://*.example.com", "origins as browsers send them"),
        ("CORS_ORIGINS", "https://app.example.com/", "origins as browsers send them"),
        ("CORS_ORIGINS", "https://app.example.com:443", "origins as browsers send them"),
        ("CORS_ORIGINS", "https://App.example.com", "origins as browsers send them"),
        ("CORS_ORIGINS", "app.example.com", "origins as browsers send them"),
        ("CORS_ORIGINS", "https://app.example.com/page", "without a path"),
        ("CORS_ORIGINS", "capacitor://localhost/", "a slash at the end"),
        ("CORS_ORIGINS", "http://localhost:80", "the default port"),
        ("CORS_ORIGINS", "capacitor:localhost", "origins as browsers send them"),
        ("CORS_ORIGINS", "app://", "origins as browsers send them"),
        ("CORS_ORIGINS", "http://localhost:99999", "origins as browsers send them"),
        ("CORS_ORIGINS", "file://", "not null"),
        ("CORS_ORIGINS", "file:///home/me/page.html", "not null"),
    ],
)
def test_an_invalid_value_is_refused_by_name_with_the_accepted_form(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Config.from_env({name: value})

    assert f"{name}={value}: " in str(refused.value)
    assert allowed in str(refused.value)


DURATIONS = [
    "BODY_TIMEOUT", "KEEPALIVE_TIMEOUT", "SHUTDOWN_TIMEOUT", "LEASE_DURATION", "RETRY_DELAY", "SWEEP_INTERVAL",
    "ORPHAN_GRACE", "FAILED_RETENTION", "FAILED_ROW_RETENTION", "DEFAULT_TTL",
]  # fmt: skip


@pytest.mark.parametrize("name", DURATIONS)
def test_every_duration_may_have_a_unit(name: str) -> None:
    assert getattr(Config.from_env({name: "15m"}), name.lower()) == 900
    assert getattr(Config.from_env({name: "900"}), name.lower()) == 900


@pytest.mark.parametrize("name", ["ALLOW_ANONYMOUS", "S3_SIGN_PAYLOAD"])
@pytest.mark.parametrize(("text", "value"), [("1", True), ("yes", True), ("on", True), ("0", False), ("false", False)])
def test_every_boolean_takes_the_usual_words(name: str, text: str, value: bool) -> None:
    assert getattr(Config.from_env({name: text}), name.lower()) is value


def test_no_duration_or_boolean_is_left_out_above() -> None:
    """Both are told by the error of a text that no setting accepts."""
    durations = {name for name in SETTINGS if re.fullmatch(r"\w+ to \w+[smhd]", accepted(name))}
    booleans = {name for name in SETTINGS if accepted(name) == "1 or 0"}

    assert durations == set(DURATIONS)
    assert booleans == {"ALLOW_ANONYMOUS", "S3_SIGN_PAYLOAD"}


@pytest.mark.parametrize("name", RETIRED)
def test_a_retired_name_stops_the_start_and_names_its_replacement(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Config.from_env({name: "1"})

    message = str(refused.value)
    assert f"{name}: {RETIRED[name]}" in message
    assert name not in SETTINGS
    assert "was removed: " in message or set(re.findall(r"is now (\w+)", message)) <= set(SETTINGS)


def test_an_empty_retired_name_is_ignored() -> None:
    assert Config.from_env(dict.fromkeys(RETIRED, " ")) == Config.from_env({})


@pytest.mark.parametrize(
    ("grace", "interval"), [("24h", 600), ("100d", 600), ("3000", 600), ("100", 20), ("5", 1), ("1", 1)]
)
def test_multipart_uploads_are_listed_several_times_per_grace(grace: str, interval: int) -> None:
    assert Config.from_env({"ORPHAN_GRACE": grace}).multipart_sweep_interval == interval


def test_all_invalid_settings_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        Config.from_env({"PORT": "x", "WEB_THREADS": "0"})

    assert "PORT=x" in str(refused.value)
    assert "WEB_THREADS=0" in str(refused.value)


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


def test_the_uncommented_example_equals_the_defaults() -> None:
    lines = (Path(__file__).parent.parent / ".env.example").read_text().splitlines()
    env = dict(line[1:].split("=", 1) for line in lines if line.startswith("#") and line[1] != " ")

    assert Config.from_env(env) == Config.from_env({})


def test_an_invalid_setting_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="MAX_FILE_SIZE=ten"):
        create_app({"MAX_FILE_SIZE": "ten"})


def test_lists_have_commas_and_may_have_spaces() -> None:
    config = Config.from_env(
        {
            "TRUSTED_HOSTS": "Ferry.example.com, [::1], 2001:DB8::0:1",
            "CORS_ORIGINS": "https://a.example,http://localhost:5173",
        }
    )

    assert config.trusted_hosts == ("ferry.example.com", "[::1]", "[2001:db8::1]")
    assert config.cors_origins == ("https://a.example", "http://localhost:5173")


@pytest.mark.parametrize(
    "origin",
    [
        "capacitor://localhost", "ionic://localhost", "tauri://localhost", "http://tauri.localhost", "app://-", "app://.",
        "app://bundle.Name", "wails://wails.localhost:34115", "vscode-webview://0a1b2c",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop", "safari-web-extension://5F0C6E2D-93D8-4D4B-A3F5-7E6F",
        "https://localhost", "http://my_app:3000", "http://[::1]:5173",
    ],
)  # fmt: skip
def test_origins_of_apps_in_web_views_are_accepted(origin: str) -> None:
    assert Config.from_env({"CORS_ORIGINS": origin}).cors_origins == (origin,)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("LOCALHOST", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("ferry.example.com", False),
        ("localhost.example.com", False), ("::ffff:127.0.0.1", True), ("::ffff:7f00:1", True),
        ("::ffff:192.0.2.7", False), ("0:0:0:0:0:0:0:1", True), ("[::1]", True), ("[::]", False),
    ],
)  # fmt: skip
def test_a_loopback_host_is_recognised(host: str, local: bool) -> None:
    assert Config.from_env({"HOST": host}).is_loopback is local


@pytest.mark.parametrize(
    ("host", "bind"),
    [
        ("127.0.0.1", "127.0.0.1:5000"),
        ("ferry.example.com", "ferry.example.com:5000"),
        ("::", "[::]:5000"),
        ("::1", "[::1]:5000"),
        ("[::1]", "[::1]:5000"),
        ("2001:DB8:0:0::1", "[2001:db8::1]:5000"),
    ],
)
def test_an_ipv6_host_is_bound_in_brackets(host: str, bind: str) -> None:
    assert Config.from_env({"HOST": host}).bind == bind


@pytest.mark.parametrize(
    ("env", "encryption"),
    [
        ({}, ""),
        ({"S3_SSE": "AES256"}, "AES256"),
        ({"S3_SSE_KMS_KEY_ID": "alias/ferry"}, "aws:kms"),
        ({"S3_SSE": "aws:kms:dsse", "S3_SSE_KMS_KEY_ID": "arn:aws:kms:eu-west-1:1:key/a-b"}, "aws:kms:dsse"),
    ],
)
def test_a_kms_key_implies_kms_encryption(env: dict[str, str], encryption: str) -> None:
    assert Config.from_env(env).encryption == encryption


def test_an_unused_kms_key_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="S3_SSE_KMS_KEY_ID"):
        Config.from_env({"S3_SSE": "AES256", "S3_SSE_KMS_KEY_ID": "alias/ferry"})


@pytest.mark.parametrize("name", ["S3_ADDRESSING", "S3_CHECKSUM", "S3_SSE", "S3_SSE_KMS_KEY_ID", "AWS_REGION"])
def test_an_invalid_s3_setting_stops_the_start(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Config.from_env({name: "not valid"})


@pytest.mark.parametrize(
    ("threads", "requested", "granted"),
    [(16, 13, 13), (16, 14, 14), (16, 15, 14), (64, 100, 56), (8, 8, 7), (4, 4, 3), (2, 5, 1), (1, 1, 1), (16, 1, 1)],
)
def test_a_key_never_gets_the_last_eighth_of_the_threads(threads: int, requested: int, granted: int) -> None:
    assert Config.from_env({"WEB_THREADS": str(threads)}).key_max_transfers(requested) == granted
