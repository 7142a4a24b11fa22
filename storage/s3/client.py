"""boto3: its client, signatures and errors. The only module that imports boto3 and botocore."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
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
from storage.s3.http import no_response_error
from storage.s3.options import S3Options
from storage.s3.pool import Proxy, host_header
from storage.s3.retries import Failure, pause, should_retry
from storage.s3.signing import Signer

_STARTED_AT = "ferry-started-at"
_NO_RESPONSE = (BotoConnectionError, HTTPClientError, ResponseParserError)


def map_error(error: BotoCoreError | ClientError) -> StorageError:
    """Return the StorageError for a botocore exception."""
    if isinstance(error, NoCredentialsError):
        return StorageDenied("No credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    if isinstance(error, ParamValidationError):
        return StorageRejected("The request to the storage would not be valid.")
    if not isinstance(error, ClientError):
        is_network = isinstance(error, _NO_RESPONSE)
        name = type(error).__name__
        return no_response_error(failure_of(error), error) if is_network else StorageUnavailable(message=name)
    details, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    return storage_error(
        int(meta.get("HTTPStatusCode", 0)), code, message, meta.get("HTTPHeaders", {}), text=str(details)
    )


@contextmanager
def map_botocore_errors() -> Iterator[None]:
    """Raise StorageError instead of botocore's exceptions."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise map_error(error) from error


def failure_of(error: Exception) -> Failure:
    """Return why a request of boto3 got no response."""
    if isinstance(error, ProxyConnectionError):
        return Failure.PROXY
    if isinstance(error, SSLError):
        return Failure.UNTRUSTED if "CERTIFICATE_VERIFY_FAILED" in str(error) else Failure.LOST
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError):
        return Failure.UNREACHABLE
    return Failure.SILENT if isinstance(error, ReadTimeoutError) else Failure.LOST


class S3Client:
    """boto3's client for one bucket, with the endpoint, signatures, CA bundle and proxy for Ferry's own requests."""

    def __init__(self, bucket: str, endpoint: str, options: S3Options | None = None, **boto3_options: Any) -> None:
        """`boto3_options` are passed unchanged (credentials in tests); by default boto3's own chain finds credentials.

        Raises StorageError. Takes some 100 ms; connects only to the instance metadata service, for credentials.
        """
        options = options or S3Options()
        with map_botocore_errors():
            session = boto3.session.Session()
            boto3_options = {"region_name": options.region or session.region_name or "us-east-1"} | boto3_options
            settings = _boto_config(options.style(bucket, endpoint))
            self.boto = session.client("s3", endpoint_url=endpoint or None, config=settings, **boto3_options)
            _register_retries(self.boto.meta.events)
            # botocore resolves the endpoint: partition (.com.cn, GovCloud), region, path or virtual-host style.
            url = self.boto.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
        self.region = str(self.boto.meta.region_name)
        parsed = urlsplit(url)
        self.scheme, self.netloc, self.path = parsed.scheme, parsed.netloc, parsed.path.removesuffix("k")
        self._signer = Signer(host_header(self.scheme, self.netloc), self.region)
        self.bucket_url = f"{self.scheme}://{self.netloc}{self.path}"
        """The bucket's address; ends with a slash."""
        bundle = session._session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
        self.ca_bundle = str(bundle or get_cert_path(True))
        self.proxy = _proxy(self.boto.meta.endpoint_url)

    def signed(self, method: str, target: str, headers: Mapping[str, str], payload: str) -> dict[str, str]:
        """Return `headers` with a Signature Version 4 of now. `payload`: SHA-256 in hex, or UNSIGNED."""
        with map_botocore_errors():
            credentials = self.boto._request_signer._credentials
            if credentials is None:
                raise NoCredentialsError
            frozen = credentials.get_frozen_credentials()
        return self._signer.sign(frozen, method, target, headers, payload)


def _proxy(endpoint: str) -> Proxy | None:
    """Return the proxy that boto3 uses for this endpoint, by the same functions over the same environment."""
    proxies = ProxyConfiguration(get_environ_proxies(endpoint))
    url = proxies.proxy_url_for(endpoint)
    try:
        return Proxy(url, proxies.proxy_headers_for(url)) if url else None
    except ValueError as error:
        raise no_response_error(Failure.PROXY, error) from error


def describe_proxy(endpoint: str, proxy: Proxy | None) -> str:
    """Return a line about the proxy variable for this endpoint, without its password; empty if none is set."""
    scheme = urlsplit(endpoint).scheme
    variables = [name for name in (f"{scheme}_proxy", f"{scheme}_PROXY".upper()) if os.environ.get(name)]
    if not variables:
        return ""
    if proxy is None:
        return f"{variables[0]} is set, and NO_PROXY excludes the storage"
    parsed = urlsplit(proxy.url)
    address = f"{parsed.scheme}://{parsed.netloc.rpartition('@')[2]}"
    return f"{variables[0]} is set: all requests to the storage go through {address}"


def _register_retries(events: Any) -> None:
    """Let boto3 repeat its requests by Ferry's own policy."""
    events.register("before-call.s3", _record_start)
    events.register("needs-retry.s3", _retry_delay)


def _record_start(params: dict[str, Any], **_: object) -> None:
    params["context"][_STARTED_AT] = time.monotonic()


def _retry_delay(response: Any, attempts: int, caught_exception: Any, request_dict: Any, **_: object) -> float | None:
    """Return the seconds until boto3 repeats a request; None ends the attempts."""
    waited = time.monotonic() - request_dict["context"][_STARTED_AT]
    if caught_exception is not None:
        is_network = isinstance(caught_exception, _NO_RESPONSE)
        retry = is_network and should_retry(attempts, waited, failure=failure_of(caught_exception))
    else:
        http, parsed = response
        code = str(parsed.get("Error", {}).get("Code", ""))
        retry = should_retry(attempts, waited, status=http.status_code, code=code)
    return pause(attempts) if retry else None


def _boto_config(style: str) -> BotoConfig:
    return BotoConfig(
        signature_version="s3v4",
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 1},  # `_retry_delay` decides.
        max_pool_connections=50,
        tcp_keepalive=True,
        # Several S3 servers refuse aws-chunked trailers, and ranged reads fail if a range comes with the checksum of
        # the whole object. Ferry sends the CRC32 of every part itself.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # Explicit: by default boto3 presigns URLs of the global endpoint, which redirects requests of other regions.
        s3={"addressing_style": style, "payload_signing_enabled": False},
    )
