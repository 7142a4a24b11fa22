"""Redis over TLS: Celery, the relay, the rate limits and doctor follow the same settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from app import create_app
from config_types import Rate
from tests.fakes import services_of
from tests.tls import Certificate, certificate, tls_in_front_of


@dataclass
class Tls:
    """Redis behind TLS, as `localhost`. `mutual` is a port that requires client certificates."""

    port: int
    mutual: int
    ca: Certificate
    client: Certificate


@pytest.fixture(scope="module")
def tls(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    folder, redis = tmp_path_factory.mktemp("tls"), urlsplit(valkey).port or 0
    ca = certificate(folder, "Ferry test CA")
    own = certificate(
        folder,
        "localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=CA:FALSE",
        issuer=ca,
    )
    client = certificate(folder, "client", "-addext", "basicConstraints=CA:FALSE", issuer=ca)
    with tls_in_front_of(redis, own) as port, tls_in_front_of(redis, own, ca.cert) as mutual:
        yield Tls(port, mutual, ca, client)


def connections(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Which clients connect. The environment names another broker, which Celery must ignore."""
    monkeypatch.setattr("redis.retry.sleep", lambda seconds: None)
    monkeypatch.setenv("CELERY_BROKER_URL", settings["CELERY_BROKER_URL"])
    monkeypatch.setenv("CELERY_BROKER_READ_URL", "redis://127.0.0.1:1/0")
    app = create_app(settings)
    found = {}
    with app.app_context():
        celery = services_of(app).celery
        for name, connect in (("read", celery.connection_for_read), ("write", celery.connection_for_write)):
            with connect() as connection:
                connection.transport_options |= {"max_retries": 1, "interval_start": 0, "interval_step": 0}
                try:
                    connection.default_channel.client.ping()
                    found[name] = True
                except Exception:
                    found[name] = False
        try:
            services_of(app).relay.ping()
            found["relay"] = True
        except Exception:
            found["relay"] = False
        rate_limits = services_of(app).rate_limits
        rate_limits.hit("upload", Rate(600, 60), "a client")
        found["rates"] = rate_limits._retry_at == 0  # It was set if Redis did not answer.
        doctor = app.test_cli_runner().invoke(args=["doctor"]).output
        [line] = [line for line in doctor.splitlines() if "broker" in line]
        found["doctor"] = line.startswith("ok")
        services_of(app).relay.close()
        app.extensions["sqlalchemy"].engine.dispose()
    return found


ALL = ("read", "write", "relay", "rates", "doctor")


@pytest.mark.parametrize(
    ("address", "connects"),
    [
        ("rediss://localhost:{port}/0?ssl_ca_certs={ca}", True),
        ("rediss://localhost:{port}/0?ssl_ca_certs={ca}&ssl_cert_reqs=CERT_REQUIRED", True),
        ("rediss://localhost:{port}/0?ssl_ca_certs={ca}&ssl_cert_reqs=optional", True),
        ("rediss://localhost:{port}/0?ssl_cert_reqs=none", True),
        ("rediss://localhost:{port}/0?ssl_cert_reqs=CERT_NONE", True),
        ("rediss://127.0.0.1:{port}/0?ssl_ca_certs={ca}&ssl_check_hostname=false", True),
        ("rediss://localhost:{mutual}/0?ssl_ca_certs={ca}&ssl_certfile={cert}&ssl_keyfile={key}", True),
        ("rediss://localhost:{port}/0", False),
        ("rediss://localhost:{port}/0?ssl_cert_reqs=required", False),
        ("rediss://127.0.0.1:{port}/0?ssl_ca_certs={ca}", False),
        ("rediss://127.0.0.1:{port}/0?ssl_ca_certs={ca}&ssl_cert_reqs=optional", False),
        ("rediss://localhost:{mutual}/0?ssl_ca_certs={ca}", False),
        ("redis://localhost:{port}/0", False),
    ],
)
def test_all_clients_follow_the_same_tls_settings(
    settings: dict[str, str], tls: Tls, monkeypatch: pytest.MonkeyPatch, address: str, connects: bool
) -> None:
    url = address.format(
        port=tls.port, mutual=tls.mutual, ca=tls.ca.cert, cert=tls.client.cert, key=tls.client.key
    ).replace(" ", "%20")

    assert connections(settings | {"CELERY_BROKER_URL": url}, monkeypatch) == dict.fromkeys(ALL, connects)


def test_the_ca_bundle_in_ssl_cert_file_is_trusted(
    settings: dict[str, str], tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca.cert))
    url = f"rediss://localhost:{tls.port}/0"

    assert connections(settings | {"CELERY_BROKER_URL": url}, monkeypatch) == dict.fromkeys(ALL, True)


def test_doctor_reports_a_failed_certificate_verification(
    settings: dict[str, str], tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redis.retry.sleep", lambda seconds: None)
    app = create_app(settings | {"CELERY_BROKER_URL": f"rediss://:hunter2@localhost:{tls.port}/0"})
    output = app.test_cli_runner().invoke(args=["doctor"]).output

    [line] = [line for line in output.splitlines() if "broker" in line]

    assert line.startswith(f"FAIL  broker rediss://localhost:{tls.port}/0: ConnectionError")
    assert "CERTIFICATE_VERIFY_FAILED" in line
    assert "Check the TLS settings in CELERY_BROKER_URL" in line
    assert "hunter2" not in output
