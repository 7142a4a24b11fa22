"""Errors as RFC 9457 problem details, one class a kind.

```
Problem                              500          internal-error
├── Request: form, body, headers     400 … 505    the request is malformed or not supported
├── Auth and origin                  400 401 403  the client has no permission for this
├── Limits                           403 429 503  too many requests or bytes
├── State                            404 … 422    the file, or an earlier request, does not allow it
├── Spool and database               503 507      the server can't accept uploads now
├── Failed attempts                  409 500 503  in a file's `error`; normal mode also answers with them
└── StorageError (storage/base.py)   502 503 507  the object storage refused or failed
```

A class's docstring gives cause and cure to the client: it is served at the problem's `type` and printed in
docs/errors.md. "Storage" is always the object storage, except in the slug `storage-full`, which is the spool's disk.
This module knows no HTTP request, storage or database. It stays one file, like the exceptions of Werkzeug or
SQLAlchemy, because it is read as one list.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar, TypeGuard


class Problem(Exception):
    """Ferry failed unexpectedly and has logged the error. Tell the operator the `request_id`."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    retry_after: int | None = None
    """Seconds, for the header Retry-After."""

    def __init__(self, detail: str | None = None, **fields: Any) -> None:
        """`detail` is written for the client; `fields` become members of the response (RFC 9457 §3.2)."""
        super().__init__(detail or self.title)
        self.detail = detail
        self.fields = fields

    @classmethod
    def slug(cls) -> str:
        """The stable name: the last segment of `type`, and the value of a row's `error`."""
        return "internal-error" if cls is Problem else re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @property
    def reason(self) -> str:
        """The `error` of a row that ended with this problem."""
        return self.slug()

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the response, in addition to those of every problem."""
        return {}

    def members(self, instance: str, root: str = "") -> dict[str, Any]:
        """The problem details as sent to the client.

        `instance`: the path of the request. `root`: the path that the service is mounted under, because `type` is a
        URI reference (RFC 9457 §3.1.1).
        """
        return {
            "type": f"{root}/problems/{self.slug()}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail or self.title,
            "instance": instance,
            **self.fields,
        }


def quoted(value: str, max_length: int = 100) -> str:
    """Quote a client's `value` for a detail: printable ASCII in double quotes, cut to `max_length` characters."""
    shown = "".join(sign if " " <= sign <= "~" and sign not in '"\\' else "?" for sign in value[:max_length])
    return f'"{shown}{"…" if len(value) > max_length else ""}"'


# Request: form, body, headers


class MissingFile(Problem):
    """The form has no field `file`, or no file was chosen. Send the file in the field `file`."""

    status, title = 400, "Missing file"


class MissingFilename(Problem):
    """The file has no name. Set `filename` on the form part; for a raw body use the path or `?name=`."""

    status, title = 400, "Missing filename"


class BadEncoding(Problem):
    """A filename or the query is not UTF-8, or names an unknown charset. Send it as UTF-8."""

    status, title = 400, "Invalid character encoding"


class FilenameTooLong(Problem):
    """The filename is longer than 255 bytes of UTF-8. Shorten it."""

    status, title = 400, "Filename too long"


class TooManyFiles(Problem):
    """The form has more than one field `file`. Send one request per file."""

    status, title = 400, "Too many files in one request"


class UnexpectedFile(Problem):
    """The form has a file in another field. Send it in the field `file`."""

    status, title = 400, "File in an unexpected field"


class ChunkedUpload(Problem):
    """The request carries one chunk of a file. Send the whole file in one request: `detail` says how."""

    status, title = 400, "Chunked uploads are not supported"


class MalformedMultipart(Problem):
    """The body is not multipart/form-data (RFC 7578), or the header of a part is too large. Check the boundary."""

    status, title = 400, "Malformed multipart body"


class FormTooLarge(Problem):
    """The form has too many parts, or too many bytes outside its file."""

    status, title = 413, "Form fields too large"


class IncompleteBody(Problem):
    """The body is shorter than announced, or the connection was closed. Nothing was stored. Send it again."""

    status, title = 400, "Incomplete request body"

    @property
    def reason(self) -> str:
        return "client-disconnected"


class RequestTimeout(Problem):
    """The request arrived too slowly, or stalled. Nothing was stored. Send it again over a faster connection."""

    status, title = 408, "Request timeout"


class TooLarge(Problem):
    """The file is larger than this server or endpoint accepts: see `max_bytes`."""

    status, title = 413, "File too large"


class UnsupportedMediaType(Problem):
    """The body is compressed, a form part is encoded, or JSON lacks its Content-Type: see `detail`."""

    status, title = 415, "Unsupported media type"


class TypeNotAllowed(Problem):
    """The type found in the file's bytes (`detected_type`) is not allowed. `detail` lists the allowed types."""

    status, title = 415, "File type not allowed"


class LengthRequired(Problem):
    """The request has no body of known length. Send Content-Length or Transfer-Encoding: chunked."""

    status, title = 411, "Length required"


class MethodNotAllowed(Problem):
    """The path does not support this method. The Allow header lists those it supports."""

    status, title = 405, "Method not allowed"


class IdempotencyKeyInvalid(Problem):
    """An Idempotency-Key is 1 to 255 printable ASCII characters, without a space at either end. Use a UUID."""

    status, title = 400, "Invalid Idempotency-Key"


class InvalidParameter(Problem):
    """A query parameter or form field is unknown, invalid, repeated or placed after the file: see `parameter`."""

    status, title = 400, "Invalid parameter"


class InvalidBody(Problem):
    """The JSON body does not match the schema: `pointer` (RFC 6901) names the invalid member."""

    status, title = 422, "Invalid request body"


class BadRequest(Problem):
    """The request is not valid HTTP, or its body is not valid JSON."""

    status, title = 400, "Bad request"


class UriTooLong(Problem):
    """The request line is longer than the server reads. Shorten the URL."""

    status, title = 414, "URI too long"


class HeadersTooLarge(Problem):
    """The request has too many or too long headers. Send fewer; cookies are often the cause."""

    status, title = 431, "Request headers too large"


class ExpectationFailed(Problem):
    """The Expect header is not 100-continue. Remove it."""

    status, title = 417, "Expectation failed"


class TransferCodingUnknown(Problem):
    """The transfer coding is not chunked. Send the body unencoded."""

    status, title = 501, "Unsupported transfer coding"


class VersionNotSupported(Problem):
    """The request is neither HTTP/1.0 nor HTTP/1.1."""

    status, title = 505, "HTTP version not supported"


# Auth and origin


class Unauthorized(Problem):
    """The request needs a known, unexpired API key: `Authorization: Bearer ferry_…`."""

    status, title = 401, "API key required"

    @property
    def headers(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="ferry"'}


class ScopeMissing(Problem):
    """The API key lacks the scope in `scope`. Use a key that has it."""

    status, title = 403, "API key lacks a scope"


class UntrustedHost(Problem):
    """The service does not answer for the request's Host. The operator can add it to TRUSTED_HOSTS."""

    status, title = 400, "Host not allowed"


class CrossSiteRequest(Problem):
    """A page of another web site sent this request. `detail` names both sites, and the settings that allow it."""

    status, title = 403, "Cross-site request blocked"


# Limits


class TooManyUploads(Problem):
    """This client already has `most` concurrent transfers. Wait until one ends, or have the limit raised."""

    status, title, retry_after = 429, "Too many concurrent uploads", 2


class TooManyDownloads(Problem):
    """This client already has `most` concurrent transfers. Wait until one ends, or have the limit raised."""

    status, title, retry_after = 429, "Too many concurrent downloads", 2


class TooManyWatchers(Problem):
    """All places for event streams and long polls are taken. Ask for the status without waiting."""

    status, title, retry_after = 503, "Too many open event streams", 5


class TooManyRequests(Problem):
    """This client exceeds its rate limit. Wait for the seconds in `Retry-After`."""

    status, title = 429, "Too many requests"

    def __init__(self, detail: str | None = None, wait: float = 1.0) -> None:
        """`wait` is in seconds."""
        super().__init__(detail)
        self.retry_after = math.ceil(wait)


class QuotaExceeded(Problem):
    """The owner of this key has used up the quota: see the numbers. Delete files, or ask the operator."""

    status, title = 403, "Quota exceeded"


# State


class NotFound(Problem):
    """Nothing exists at this path. The response to an upload has the file's id."""

    status, title = 404, "Not found"


class NotReady(Problem):
    """The file is not COMPLETE: see `file_status`. With `Retry-After` it may be COMPLETE soon. `ids` lists all."""

    status, title = 409, "File not ready"

    def __init__(self, detail: str | None = None, *, may_complete: bool, **fields: Any) -> None:
        """`may_complete`: the file may still be stored."""
        super().__init__(detail, **fields)
        self.retry_after = 1 if may_complete else None


class NotFailed(Problem):
    """Only a file with status ERROR can be retried. Check its status."""

    status, title = 409, "File has not failed"


class BytesGone(Problem):
    """The server no longer has the file's bytes, or never spooled them (normal mode). Upload the file again."""

    status, title = 409, "File content no longer available"


class PreconditionFailed(Problem):
    """The file is not the one in If-Match or If-Unmodified-Since. Send the request without them."""

    status, title = 412, "Precondition failed"


class RangeNotSatisfiable(Problem):
    """The range starts after the file's last byte, or is empty. `size` is the file's size in bytes."""

    status, title = 416, "Range not satisfiable"

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Content-Range": f"bytes */{self.fields['size']}"}


class IdempotencyKeyInUse(Problem):
    """A request with this Idempotency-Key is in progress. Wait for its response, or try again later."""

    status, title, retry_after = 409, "Idempotency-Key in use", 5


class IdempotencyKeyReused(Problem):
    """This Idempotency-Key was used for another file, name or endpoint. Use a new key for a new request."""

    status, title = 422, "Idempotency-Key reused"


# Spool and database


class SpoolDiskFull(Problem):
    """The server's disk has no space for the file. Nothing was stored. Try again later, or send a smaller file."""

    status, title, retry_after = 507, "Spool disk is full", 60

    @classmethod
    def slug(cls) -> str:
        return "storage-full"


class SpoolLimitReached(Problem):
    """The spool has reached its byte limit. Nothing was accepted. Try again later."""

    status, title, retry_after = 503, "Spool limit reached", 30

    @classmethod
    def slug(cls) -> str:
        return "too-much-waiting"


class DatabaseUnavailable(Problem):
    """The database can't be reached or does not respond. Nothing was accepted. Try again later."""

    status, title, retry_after = 503, "Database unavailable", 10


# Failed attempts: in a file's `error`; normal mode also answers with them


class BytesLost(Problem):
    """The spooled bytes of this file can't be read. Upload the file again."""

    status, title = 500, "Spooled file is missing"


class BytesDamaged(Problem):
    """The bytes on the way to the storage differ from those received, and were not stored."""

    status, title = 500, "Checksum mismatch"


class RelayLost(Problem):
    """The transfer over Redis to the worker was interrupted. The bytes are still spooled and will be sent again."""

    status, title, retry_after = 503, "Relay interrupted", 10


class ServerStopped(Problem):
    """The server shut down while it processed the file. A spooled file is processed again."""

    status, title, retry_after = 503, "Server shut down", 10


class AttemptsExhausted(Problem):
    """Every attempt died or lost its lease, too many times. Upload the file again, or retry it."""

    status, title = 500, "Too many failed attempts"


class Deleted(Problem):
    """The file was deleted before all of it was stored. Nothing was stored. Do not resend it automatically."""

    status, title = 409, "File deleted during upload"


class LeaseLost(Problem):
    """Another process took over this file. Check its status, or repeat the request with the same Idempotency-Key."""

    status, title, retry_after = 503, "Lease lost", 5


def is_invalid_request(error: Exception) -> TypeGuard[Problem]:
    """Whether the request itself is invalid, so that sending it again can't help: its row is not kept.

    An incomplete or slow body (408) does not count: after a disconnect the client may ask for the file's status.
    """
    return isinstance(error, Problem) and error.status in (400, 413, 415) and not isinstance(error, IncompleteBody)


def all_problems() -> dict[str, type[Problem]]:
    """Every kind of problem by its slug, parents before children."""
    found, queue = {}, [Problem]
    while queue:
        kind = queue.pop(0)
        found[kind.slug()] = kind
        queue += kind.__subclasses__()
    return found
