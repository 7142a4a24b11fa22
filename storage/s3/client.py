"""What boto3 gives: a client, signatures, and errors to be made ours. The only file that knows boto3 and botocore."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config as BotoConfig
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.parsers import ResponseParserError
from botocore.utils import get_environ_proxies

from storage.base import StorageDenied, StorageError, StorageRejected, StorageUnavailable
from storage.s3.errors import storage_error
from storage.s3.http import Proxy, no_answer
from storage.s3.options import S3Options
from storage.s3.retries import Failure, pause, should_retry

UNSIGNED = "UNSIGNED-PAYLOAD"

_BEGAN = "ferry-began"
_NO_ANSWER = (BotoConnectionError, HTTPClientError, ResponseParserError)


def map_error(error: BotoCoreError | ClientError) -> StorageError:
    """Ours for botocore's."""
    if isinstance(error, NoCredentialsError):
        return StorageDenied("No credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    if isinstance(error, ParamValidationError):
        return StorageRejected("The request to the storage would not be valid.")
    if not isinstance(error, ClientError):
        is_network = isinstance(error, _NO_ANSWER)
        return no_answer(failure_of(error), error) if is_network else StorageUnavailable(message=type(error).__name__)
    said, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    return storage_error(int(meta.get("HTTPStatusCode", 0)), code, message, meta.get("HTTPHeaders", {}), text=str(said))


@contextmanager
def map_botocore_errors() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise map_error(error) from error


def failure_of(error: Exception) -> Failure:
    """What kept a request of boto3 from being answered."""
    if isinstance(error, ProxyConnectionError):
        return Failure.PROXY
    if isinstance(error, SSLError):
        return Failure.UNTRUSTED if "CERTIFICATE_VERIFY_FAILED" in str(error) else Failure.LOST
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError):
        return Failure.UNREACHABLE
    return Failure.SILENT if isinstance(error, ReadTimeoutError) else Failure.LOST


class _Signature(S3SigV4Auth):  # type: ignore[misc]
    """Signature Version 4 over a payload digest that is given: by itself botocore would copy the body to hash it."""

    def payload(self, request: AWSRequest) -> str:
        return str(request.context["payload"])


class S3Client:
    """boto3's client for one bucket, and what it takes to send requests of our own beside it."""

    def __init__(self, bucket: str, endpoint: str, dialect: S3Options | None = None, **options: Any) -> None:
        """`options` go to boto3 as they are: credentials for tests, say. Elsewhere its own chain finds them.

        Raises StorageError. Takes some 100 ms; connects to nothing but, for credentials, the machine's metadata.
        """
        dialect = dialect or S3Options()
        with map_botocore_errors():
            session = boto3.session.Session()
            options = {"region_name": dialect.region or session.region_name or "us-east-1"} | options
            self.boto = session.client(
                "s3", endpoint_url=endpoint or None, config=_settings(dialect.style(bucket, endpoint)), **options
            )
            _prepare(self.boto.meta.events)
            # boto3 knows best where a bucket of this name in this region is to be found.
            url = self.boto.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
        self.region = str(self.boto.meta.region_name)
        place = urlsplit(url)
        self.scheme, self.netloc, self.path = place.scheme, place.netloc, place.path.removesuffix("k")
        bundle = session._session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
        self.ca_bundle = str(bundle or get_cert_path(True))
        self.proxy = _proxy(self.boto.meta.endpoint_url)

    def signed(self, method: str, target: str, headers: Mapping[str, str], payload: str) -> dict[str, str]:
        """`headers` and those that sign them (Signature Version 4), for now. `payload`: SHA-256 in hex, or UNSIGNED."""
        request = AWSRequest(method, f"{self.scheme}://{self.netloc}{target}", dict(headers))
        request.context["payload"] = payload
        with map_botocore_errors():
            credentials = self.boto._request_signer._credentials
            frozen = credentials.get_frozen_credentials() if credentials else None
            _Signature(frozen, "s3", self.boto.meta.region_name).add_auth(request)
        return dict(request.headers)


def _proxy(endpoint: str) -> Proxy | None:
    """The proxy that boto3 itself takes for this endpoint: the same functions over the same environment."""
    proxies = ProxyConfiguration(get_environ_proxies(endpoint))
    url = proxies.proxy_url_for(endpoint)
    try:
        return Proxy(url, proxies.proxy_headers_for(url)) if url else None
    except ValueError as error:
        raise no_answer(Failure.PROXY, error) from error


def proxy_in_use(endpoint: str, proxy: Proxy | None) -> str:
    """What doctor says of the proxy variable for this endpoint; empty where there is none. Shows no password."""
    scheme = urlsplit(endpoint).scheme
    named = [name for name in (f"{scheme}_proxy", f"{scheme}_PROXY".upper()) if os.environ.get(name)]
    if not named:
        return ""
    if proxy is None:
        return f"{named[0]} is set, and NO_PROXY excepts the storage"
    place = urlsplit(proxy.url)
    return (
        f"{named[0]} is set: all requests to the storage go through {place.scheme}://{place.netloc.rpartition('@')[2]}"
    )


def _prepare(events: Any) -> None:
    """Let boto3 repeat its requests as Ferry repeats its own."""
    events.register("before-call.s3", _note_begin)
    events.register("needs-retry.s3", _retry_delay)


def _note_begin(params: dict[str, Any], **_: object) -> None:
    params["context"][_BEGAN] = time.monotonic()


def _retry_delay(response: Any, attempts: int, caught_exception: Any, request_dict: Any, **_: object) -> float | None:
    """Seconds before boto3 sends a request again; None: it does not."""
    waited = time.monotonic() - request_dict["context"][_BEGAN]
    if caught_exception is not None:
        has_failed = isinstance(caught_exception, _NO_ANSWER)
        again = has_failed and should_retry(attempts, waited, failure=failure_of(caught_exception))
    else:
        http, parsed = response
        code = str(parsed.get("Error", {}).get("Code", ""))
        again = should_retry(attempts, waited, status=http.status_code, code=code)
    return pause(attempts) if again else None


def _settings(style: str) -> BotoConfig:
    return BotoConfig(
        signature_version="s3v4",
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 1},  # `_retry_delay` decides.
        max_pool_connections=50,
        tcp_keepalive=True,
        # Several S3-likes refuse aws-chunked trailers, and ranged reads fail where the whole object's
        # checksum comes with a range. Every part carries its CRC32 anyway, put there by us.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # Named outright: left to itself boto3 signs addresses of the global endpoint, which sends other regions'
        # requests away.
        s3={"addressing_style": style, "payload_signing_enabled": False},
    )
