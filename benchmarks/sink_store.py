"""S3's verbs on objects of which only the size, CRC and ETag are kept. Uses no socket."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from isal import isal_zlib as zlib
from sink_request import Answer, Request, S3Error
from sink_xml import document, element, rows, tags

_NOTE = 4 << 10
"""Objects up to this size keep their bytes: tus servers store notes beside the upload and read them again."""

_MIN_PART = 5 << 20
"""S3 refuses smaller ones, the last excepted."""


@dataclass
class Blob:
    """An object or a part."""

    size: int
    crc: int
    etag: str
    headers: dict[str, str] = field(default_factory=dict)
    note: bytes = b""


@dataclass
class Upload:
    """A multipart upload that is neither complete nor aborted."""

    bucket: str
    key: str
    began: str
    parts: dict[int, Blob] = field(default_factory=dict)


@dataclass
class Counts:
    """Requests since the start or the last reset. `verified` and `mismatches` count, by name, the digests that clients
    sent with their bodies."""

    requests: Counter[str] = field(default_factory=Counter)
    verified: Counter[str] = field(default_factory=Counter)
    mismatches: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    truncated: int = 0


class Store:
    """The objects and uploads; a method per verb, each takes a Request and may raise S3Error. Thread-safe."""

    def __init__(self) -> None:
        self._lock, self._ids = threading.Lock(), count(1)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._counts = Counts()
            self._objects: dict[tuple[str, str], Blob] = {}
            self._uploads: dict[str, Upload] = {}

    def stats(self) -> bytes:
        """The counts, the objects and the unfinished uploads, as JSON."""
        with self._lock:
            sizes = {"objects": len(self._objects), "object_bytes": sum(blob.size for blob in self._objects.values())}
            return json.dumps({**vars(self._counts), **sizes, "open_uploads": len(self._uploads)}).encode()

    def truncated(self) -> None:
        """Count a request that ended before its body did."""
        with self._lock:
            self._counts.truncated += 1

    def serve(self, request: Request) -> Answer:
        """Answer one request, S3's errors included."""
        with self._lock:
            self._counts.requests[request.kind] += 1
        verb: Callable[[Request], Answer] | None = getattr(self, request.kind, None)
        try:
            if verb is None or "x-amz-copy-source" in request.headers:
                raise S3Error("NotImplemented", 501)
            return verb(request)
        except S3Error as error:
            with self._lock:
                self._counts.errors[error.code] += 1
            fields = tags(Code=error.code, Message=error.detail or error.code)
            return Answer(document("Error", fields), error.status, {"Content-Type": "application/xml"})

    def create_bucket(self, request: Request) -> Answer:
        request.body.drain()
        return Answer()

    def head_bucket(self, _: Request) -> Answer:
        return Answer()

    def put_object(self, request: Request) -> Answer:
        blob = self._receive(request)
        stored = ("content-type", "content-encoding")
        blob.headers = {k: v for k, v in request.headers.items() if k in stored or k.startswith("x-amz-meta-")}
        with self._lock:
            self._objects[request.bucket, request.key] = blob
        return _received(request, blob)

    def head_object(self, request: Request) -> Answer:
        blob = self._object(request)
        return Answer(headers={**blob.headers, "ETag": blob.etag}, length=blob.size)

    def get_object(self, request: Request) -> Answer:
        blob = self._object(request)
        if blob.size != len(blob.note):
            raise S3Error("NotImplemented", 501, "The bytes of this object were not kept.")
        return Answer(blob.note, headers={**blob.headers, "ETag": blob.etag})

    def delete_object(self, request: Request) -> Answer:
        with self._lock:
            self._objects.pop((request.bucket, request.key), None)
        return Answer(status=204)

    def create_upload(self, request: Request) -> Answer:
        request.body.drain()
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        with self._lock:
            upload = f"upload-{next(self._ids)}"
            self._uploads[upload] = Upload(request.bucket, request.key, now)
        fields = tags(Bucket=request.bucket, Key=request.key, UploadId=upload)
        return Answer(document("InitiateMultipartUploadResult", fields))

    def list_uploads(self, request: Request) -> Answer:
        prefix = request.query.get("prefix", "")
        with self._lock:
            found = [(u.key, name, u.began) for name, u in self._uploads.items() if u.bucket == request.bucket]
        items = [
            element("Upload", tags(Key=key, UploadId=name, Initiated=began))
            for key, name, began in sorted(found)
            if key.startswith(prefix)
        ]
        return Answer(document("ListMultipartUploadsResult", "".join(items) + tags(IsTruncated="false")))

    def list_objects(self, request: Request) -> Answer:
        """All of a prefix in one page."""
        prefix = request.query.get("prefix", "")
        with self._lock:
            found = sorted((key, blob) for (bucket, key), blob in self._objects.items() if bucket == request.bucket)
        items = [
            element("Contents", tags(Key=key, Size=blob.size, ETag=blob.etag, LastModified="2026-01-01T00:00:00Z"))
            for key, blob in found
            if key.startswith(prefix)
        ]
        return Answer(document("ListBucketResult", "".join(items) + tags(IsTruncated="false")))

    def upload_part(self, request: Request) -> Answer:
        upload = self._upload(request)
        blob = self._receive(request)
        with self._lock:
            upload.parts[int(request.query["partNumber"])] = blob
        return _received(request, blob)

    def list_parts(self, request: Request) -> Answer:
        with self._lock:
            parts = sorted(self._upload(request).parts.items())
        items = [element("Part", tags(PartNumber=n, ETag=part.etag, Size=part.size)) for n, part in parts]
        return Answer(document("ListPartsResult", "".join(items) + tags(IsTruncated="false")))

    def complete_upload(self, request: Request) -> Answer:
        upload = self._upload(request)
        listed = b"".join(bytes(block) for block in request.body.blocks())
        parts = _chosen(upload.parts, listed)
        crc = zlib.crc32(b"".join(part.crc.to_bytes(4, "big") for part in parts))
        blob = Blob(sum(part.size for part in parts), crc, f'"crc32-{crc:08x}-{len(parts)}"')
        with self._lock:
            self._uploads.pop(request.query["uploadId"], None)
            self._objects[upload.bucket, upload.key] = blob
        fields = tags(Location=f"/{upload.bucket}/{upload.key}", Bucket=upload.bucket, Key=upload.key, ETag=blob.etag)
        return Answer(document("CompleteMultipartUploadResult", fields))

    def abort_upload(self, request: Request) -> Answer:
        self._upload(request)
        with self._lock:
            self._uploads.pop(request.query["uploadId"], None)
        return Answer(status=204)

    def _receive(self, request: Request) -> Blob:
        """Read the whole body and verify every digest that the client sent. Raises S3Error."""
        body, note = request.body, b""
        for block in body.blocks():
            note = note + bytes(block) if body.size <= _NOTE else b""
        claims = body.claims()
        wrong = [name for name, true in claims.items() if not true]
        with self._lock:
            self._counts.bytes += body.size
            self._counts.verified.update(claims.keys() - wrong)
            self._counts.mismatches.update(wrong)
        if wrong:
            raise S3Error("BadDigest", 400, f"Not what was received: {', '.join(wrong)}.")
        return Blob(body.size, body.crc, f'"crc32-{body.crc:08x}"', note=note)

    def _object(self, request: Request) -> Blob:
        blob = self._objects.get((request.bucket, request.key))
        if blob is None:
            raise S3Error("NoSuchKey", 404)
        return blob

    def _upload(self, request: Request) -> Upload:
        upload = self._uploads.get(request.query["uploadId"])
        if upload is None or (upload.bucket, upload.key) != (request.bucket, request.key):
            raise S3Error("NoSuchUpload", 404)
        return upload


def _received(request: Request, blob: Blob) -> Answer:
    """The answer to bytes that arrived: their ETag, and their CRC32 where the client sent one."""
    claimed = request.body.claimed_crc
    return Answer(headers={"ETag": blob.etag} | ({"x-amz-checksum-crc32": claimed} if claimed else {}))


def _chosen(received: dict[int, Blob], listed: bytes) -> list[Blob]:
    """The parts that the client lists to complete its upload. Raises S3Error unless each is one that was received."""
    try:
        wanted = [(int(row["PartNumber"]), row) for row in rows(listed, "Part")]
    except (KeyError, ValueError):
        raise S3Error("MalformedXML", 400) from None
    numbers = [number for number, _ in wanted]
    if not numbers or numbers != sorted(set(numbers)):
        raise S3Error("InvalidPartOrder" if numbers else "MalformedXML", 400)
    if not all(number in received and _same(received[number], row) for number, row in wanted):
        raise S3Error("InvalidPart", 400)
    if any(received[number].size < _MIN_PART for number in numbers[:-1]):
        raise S3Error("EntityTooSmall", 400)
    return [received[number] for number in numbers]


def _same(part: Blob, row: dict[str, str]) -> bool:
    crc = b64encode(part.crc.to_bytes(4, "big")).decode()
    return row.get("ETag", "").strip('"') == part.etag.strip('"') and row.get("ChecksumCRC32", crc) == crc
