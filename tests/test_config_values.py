"""Values of settings: which are accepted, and how an invalid one is refused."""

from __future__ import annotations

import re

import pytest

from config import SETTINGS, Config, ConfigError
from dev.settings import accepted


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


@pytest.mark.parametrize("name", ["S3_ADDRESSING", "S3_CHECKSUM", "S3_SSE", "S3_SSE_KMS_KEY_ID", "AWS_REGION"])
def test_an_invalid_s3_setting_stops_the_start(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Config.from_env({name: "not valid"})


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
    config = Config.from_env({name: text})

    assert getattr(config if hasattr(config, name.lower()) else config.storage_settings, name.lower()) is value


def test_every_duration_and_boolean_is_tested() -> None:
    """Recognised by the accepted form that docs/settings.md prints."""
    durations = {name for name in SETTINGS if re.fullmatch(r"\w+ to \w+[smhd]", accepted(name))}
    booleans = {name for name in SETTINGS if accepted(name) == "1 or 0"}

    assert durations == set(DURATIONS)
    assert booleans == {"ALLOW_ANONYMOUS", "S3_SIGN_PAYLOAD"}


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
