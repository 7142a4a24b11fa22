"""Objects in S3 and in everything that speaks S3.

boto3 sends what is needed at most once an upload; the bytes, and the HEAD that verifies them, go over
`storage.s3.http`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from storage.base import (
    Check,
    MultipartUpload,
    Stat,
    Storage,
    StorageMissing,
    Stream,
)
from storage.parts import Buffers, split
from storage.s3.checksums import expected_etags, is_md5_etag
from storage.s3.client import S3Client, describe_proxy, map_botocore_errors
from storage.s3.diagnosis import diagnose
from storage.s3.multipart import MultipartUploads
from storage.s3.object_client import ObjectClient, check_size
from storage.s3.options import S3Options
from storage.s3.part_sizes import part_sizes
from storage.s3.resources import LazyResources
from storage.s3.settings import S3Settings
from storage.s3.upload import S3Upload


class S3Storage(Storage):
    """One bucket. Client, connections and threads are created on first use: after the server's fork."""

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        endpoint: str = "",
        part_threads: int = 4,
        sign_payload: bool = False,
        base_url: str = "",
        options: S3Options | None = None,
        **boto3_options: Any,
    ) -> None:
        """`part_threads`: parts sent at once. `base_url`: public URL of the bucket, of a CDN for example.

        `boto3_options` are passed to boto3 unchanged (credentials in tests); by default boto3's own chain finds them.
        """
        self.bucket, self.prefix, self.endpoint = bucket, prefix, endpoint
        self.buffers = Buffers()
        self._base_url, self._options = base_url, options or S3Options()
        self._resources = LazyResources(
            lambda: S3Client(bucket, endpoint, self._options, **boto3_options), part_threads
        )
        self._objects = ObjectClient(bucket, self._resources, self._options, sign_payload=sign_payload)
        self._multipart = MultipartUploads(self._objects)

    @classmethod
    def from_settings(cls, settings: S3Settings) -> S3Storage:
        """Create the configured storage."""
        return cls(
            bucket=settings.s3_bucket_name,
            prefix=settings.s3_prefix,
            endpoint=settings.s3_endpoint_url,
            part_threads=settings.s3_part_threads,
            sign_payload=settings.s3_sign_payload,
            base_url=settings.s3_bucket_base_url,
            options=settings.options,
        )

    def upload(
        self,
        key: str,
        *,
        content_type: str,
        disposition: str | None = None,
        max_bytes: int | None = None,
        attempt: int = 0,
    ) -> S3Upload:
        headers = {"Content-Type": content_type} | ({"Content-Disposition": disposition} if disposition else {})
        headers |= self._options.encryption_headers
        return S3Upload(self._objects, self._multipart, self.buffers, key, headers, max_bytes, attempt)

    def stat(self, key: str) -> Stat:
        return self._objects.stat(key)

    def open(self, key: str, start: int = 0, length: int | None = None, *, size: int | None = None) -> Stream:
        if length == 0:
            check_size(self.stat(key).size, size)
            nothing: tuple[bytes, ...] = ()
            return (chunk for chunk in nothing)
        return self._objects.open(key, start, length, size)

    def delete(self, key: str, version: str | None = None) -> None:
        self._objects.delete(key, version)

    def list_objects(self, prefix: str = "") -> Iterator[Stat]:
        with map_botocore_errors():
            for page in self._boto.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield Stat(item["Key"], item["Size"], item["ETag"].strip('"'))

    def matches(self, key: str, size: int, stream: Iterator[bytes]) -> Stat | None:
        try:
            found = self.stat(key)
        except StorageMissing:
            return None
        if found.size != size or not is_md5_etag(found.etag):
            return None
        parts = split(stream, part_sizes(size), self.buffers)
        return found if found.etag in expected_etags(parts) else None

    def multipart_uploads(self, prefix: str = "") -> Iterator[MultipartUpload]:
        return self._multipart.list_uploads(prefix)

    def abort_multipart_upload(self, upload: MultipartUpload) -> None:
        self._multipart.abort(upload)

    def url(self, key: str) -> str:
        return f"{self._base_url or self._resources.get().client.bucket_url.rstrip('/')}/{key}"

    def presigned_url(self, key: str, expires: int, *, content_type: str, disposition: str) -> str:
        headers = {"ResponseContentType": content_type, "ResponseContentDisposition": disposition}
        with map_botocore_errors():
            params = {"Bucket": self.bucket, "Key": key, **headers}
            return str(self._boto.generate_presigned_url("get_object", Params=params, ExpiresIn=expires))

    def diagnose(self) -> Iterator[Check]:
        return diagnose(self, lambda: self._boto)

    def close(self) -> None:
        self._resources.close()

    def describe(self) -> str:
        """Return region, addressing, endpoint, checksums and encryption on one line, for `flask doctor`."""
        client, style = self._resources.get().client, self._options.style(self.bucket, self.endpoint)
        endpoint = f"region {client.region}, {style} addressing at {client.bucket_url}"
        encryption = f", encryption {self._options.encryption}" if self._options.encryption else ""
        return f"{endpoint}, checksums {self._objects.checksums.kind}{encryption}"

    def describe_region(self) -> str:
        """Return a line about two variables that name different regions; empty if they don't."""
        used, ignored = self._options.region, self._options.ignored_region
        if ignored in ("", used):
            return ""
        return f"AWS_DEFAULT_REGION={used} counts, AWS_REGION={ignored} does not"

    def describe_proxy(self) -> str:
        """Return a line about the proxy between this host and the storage; empty if no variable names one."""
        client = self._resources.get().client
        return describe_proxy(f"{client.scheme}://{client.netloc}", client.proxy)

    @property
    def _boto(self) -> Any:
        return self._objects.boto
