"""Every answer that is not a success: RFC 9457 problem details, one class a kind.

A class's docstring says cause and cure to the client: it is served at the problem's `type` and printed in
docs/errors.md. Nothing here knows HTTP requests, storages or databases.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar, TypeGuard


class Problem(Exception):
    """Something went wrong inside Ferry. It has been logged; the same request may work later."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    retry_after: int | None = None

    def __init__(self, detail: str | None = None, **fields: Any) -> None:
        """`detail` is written for the client; `fields` become members of the answer (RFC 9457 §3.2)."""
        super().__init__(detail or self.title)
        self.detail = detail
        self.fields = fields

    @classmethod
    def slug(cls) -> str:
        """The stable name of the problem: the end of its `type`, and what a row's `error` says."""
        return "internal-error" if cls is Problem else re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @property
    def reason(self) -> str:
        """What the row of a file says that ended for this problem."""
        return self.slug()

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the answer, beside those that every problem has."""
        return {}

    def members(self, instance: str, root: str = "") -> dict[str, Any]:
        """The problem details: what a client gets to read. `instance` is the path of the request.

        `root` is the path that the service stands under: a `type` is a reference to an address (RFC 9457 §3.1.1).
        """
        return {
            "type": f"{root}/problems/{self.slug()}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail or self.title,
            "instance": instance,
            **self.fields,
        }


def quoted(value: str, most: int = 100) -> str:
    """`value` of a client's choice, for a detail: in double quotes, printable ASCII only, cut to `most` characters."""
    shown = "".join(sign if " " <= sign <= "~" and sign not in '"\\' else "?" for sign in value[:most])
    return f'"{shown}{"…" if len(value) > most else ""}"'


class MissingFile(Problem):
    """The form has no field `file`, or no file was chosen in it. Send the file in the field `file`."""

    status, title = 400, "No file was sent"


class MissingFilename(Problem):
    """The file has no name. A form's part needs a `filename`; a raw body a name in the path, or `?name=`."""

    status, title = 400, "The file has no name"


class BadEncoding(Problem):
    """A filename or the query holds bytes that are not UTF-8, or names an unknown charset. Send them in UTF-8."""

    status, title = 400, "Invalid character encoding"


class FilenameTooLong(Problem):
    """The file's name is longer than 255 bytes of UTF-8. Send it under a shorter name."""

    status, title = 400, "The file's name is too long"


class TooManyFiles(Problem):
    """The form has more than one field `file`. Send one request a file."""

    status, title = 400, "More than one file was sent"


class UnexpectedFile(Problem):
    """The form carries a file in a field of another name. Send it in the field `file`."""

    status, title = 400, "A file was sent in another field"


class ChunkedUpload(Problem):
    """The request carries one chunk of a file. Send the whole file in one: `detail` names what to switch off."""

    status, title = 400, "Chunked uploads are not supported"


class MalformedMultipart(Problem):
    """The body is not the multipart/form-data that its header announces (RFC 7578). Check boundary and client."""

    status, title = 400, "The form can't be read"


class FormTooLarge(Problem):
    """The form has too many fields, too much in the fields beside `file`, or a part with too long a header."""

    status, title = 413, "The form's other fields are too large"


class IncompleteBody(Problem):
    """Fewer bytes arrived than were announced, or the connection ended. Nothing was kept; send it again."""

    status, title = 400, "The body ended too early"

    @property
    def reason(self) -> str:
        return "client-disconnected"


class RequestTimeout(Problem):
    """The request came too slowly, or stopped coming. Nothing was kept; send it again over a better connection."""

    status, title = 408, "The request took too long to arrive"


class TooLarge(Problem):
    """The file is larger than this server (or this way of uploading) accepts: see `max_bytes`."""

    status, title = 413, "The file is too large"


class UnsupportedMediaType(Problem):
    """The body is compressed, a part of the form is encoded, or JSON is not declared as such: see `detail`."""

    status, title = 415, "This type of body is not accepted"


class TypeNotAllowed(Problem):
    """The file's bytes are of a type (`detected_type`) that is not accepted here: `detail` says which types are."""

    status, title = 415, "This type of file is not accepted"


class LengthRequired(Problem):
    """The request has no body with a known end. Send Content-Length or Transfer-Encoding: chunked."""

    status, title = 411, "The body's length is missing"


class Unauthorized(Problem):
    """This needs an API key that is known and has not ended, sent as `Authorization: Bearer ferry_…`."""

    status, title = 401, "An API key is needed"

    @property
    def headers(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="ferry"'}


class ScopeMissing(Problem):
    """The API key may not do this: see `scope`. Use a key that has it."""

    status, title = 403, "The API key may not do this"


class TooManyUploads(Problem):
    """This caller has `most` uploads, other bodies and downloads on their way. Wait for one, or have `most` raised."""

    status, title, retry_after = 429, "Too many uploads at once", 2


class TooManyDownloads(Problem):
    """This caller has `most` downloads, uploads and other bodies on their way. Wait for one, or have `most` raised."""

    status, title, retry_after = 429, "Too many downloads at once", 2


class TooManyWatchers(Problem):
    """As many streams of events and waiting requests are open as the server has places for. Ask without waiting."""

    status, title, retry_after = 503, "Too many are watching", 5


class TooManyRequests(Problem):
    """This caller asks more often than it may. Wait for as many seconds as `Retry-After` says."""

    status, title = 429, "Too many requests"

    def __init__(self, detail: str | None = None, wait: float = 1.0) -> None:
        """`wait` is in seconds."""
        super().__init__(detail)
        self.retry_after = math.ceil(wait)


class QuotaExceeded(Problem):
    """The files of this key's owner have used up what they may: see the numbers. Delete files, or ask the operator."""

    status, title = 403, "The quota is used up"


class NotFound(Problem):
    """There is nothing at this address. A file's id is in the answer to its upload."""

    status, title = 404, "Not found"


class MethodNotAllowed(Problem):
    """The address exists, but not for this method. The header Allow lists the methods it takes."""

    status, title = 405, "Method not allowed"


class IdempotencyKeyInvalid(Problem):
    """An Idempotency-Key is 1 to 255 printable ASCII characters, and no space at either end. A UUID does well."""

    status, title = 400, "The Idempotency-Key is not valid"


class IdempotencyKeyInUse(Problem):
    """A request with this Idempotency-Key is on its way. Wait for its answer, or ask again a little later."""

    status, title, retry_after = 409, "The first request has not been answered yet", 5


class IdempotencyKeyReused(Problem):
    """This Idempotency-Key was used for another file, name or way of uploading. Take a new key for a new request."""

    status, title = 422, "The Idempotency-Key stands for another request"


class NotReady(Problem):
    """The file is not stored: see `file_status`. With a `Retry-After` it may be soon. `ids` names all such."""

    status, title = 409, "The file is not stored"

    def __init__(self, detail: str | None = None, *, is_coming: bool, **fields: Any) -> None:
        """`is_coming`: it may still be stored."""
        super().__init__(detail, **fields)
        self.retry_after = 1 if is_coming else None


class PreconditionFailed(Problem):
    """The file is not the one that If-Match or If-Unmodified-Since names. Ask for it without them."""

    status, title = 412, "The file is another one"


class RangeNotSatisfiable(Problem):
    """The range begins after the file's last byte, or asks for none. `size` is how many bytes the file has."""

    status, title = 416, "The file has no such range"

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Content-Range": f"bytes */{self.fields['size']}"}


class NotFailed(Problem):
    """Only a file whose status is ERROR can be tried again. Look its status up."""

    status, title = 409, "The file has not failed"


class BytesGone(Problem):
    """The file's bytes are not kept any more, or never were (normal mode keeps none). Upload the file again."""

    status, title = 409, "The file's bytes are not kept any more"


class InvalidParameter(Problem):
    """A parameter of the query or a form field is unknown, invalid, given twice or behind the file: see `parameter`."""

    status, title = 400, "A parameter is not valid"


class InvalidBody(Problem):
    """The body's JSON is not what belongs here: `pointer` (RFC 6901) leads to what is wrong."""

    status, title = 422, "The body is not valid"


class BadRequest(Problem):
    """The request can't be understood as HTTP says it should be written."""

    status, title = 400, "Bad request"


class UntrustedHost(Problem):
    """The request is for a host that the service does not answer for. The operator can add it to TRUSTED_HOSTS."""

    status, title = 400, "This is not the host that was asked for"


class CrossSiteRequest(Problem):
    """A page of another web site had the browser send this. `detail` names both, and the settings that let it."""

    status, title = 403, "A request from another web site"


class UriTooLong(Problem):
    """The request's first line is longer than the server reads. Put less into the address."""

    status, title = 414, "The address is too long"


class HeadersTooLarge(Problem):
    """The request has too many headers, or too long ones. Send fewer; cookies are often the cause."""

    status, title = 431, "The headers are too large"


class ExpectationFailed(Problem):
    """The header Expect asks for something other than 100-continue. Leave it out."""

    status, title = 417, "The expectation can't be met"


class TransferCodingUnknown(Problem):
    """The body comes in a transfer coding other than chunked. Send it as it is."""

    status, title = 501, "The transfer coding is not known"


class VersionNotSupported(Problem):
    """The request is not in HTTP/1.0 or HTTP/1.1."""

    status, title = 505, "This version of HTTP is not spoken"


class StorageFull(Problem):
    """The server's disk has no room for the file. Nothing was kept; try again later, or send a smaller file."""

    status, title, retry_after = 507, "No room for the file", 60


class TooMuchWaiting(Problem):
    """As many bytes wait to be stored as this server may keep. Nothing was accepted; try again later."""

    status, title, retry_after = 503, "Too much is waiting to be stored", 30


class DatabaseUnavailable(Problem):
    """The database can't be reached or does not answer. Nothing was accepted; try again later."""

    status, title, retry_after = 503, "The database is not available", 10


class BytesLost(Problem):
    """The bytes that were kept for this file can't be read any more. Upload the file again."""

    status, title = 500, "The kept bytes are gone"


class BytesDamaged(Problem):
    """The bytes on their way to the storage are not the bytes that were received. They were not stored."""

    status, title = 500, "The bytes were damaged on their way"


class RelayLost(Problem):
    """The bytes stopped coming on their way over Redis to the worker. They are kept, and will be sent again."""

    status, title, retry_after = 503, "The way over Redis was interrupted", 10


class ServerStopped(Problem):
    """The server was stopped while it worked on the file. A file whose bytes are kept is taken up again."""

    status, title, retry_after = 503, "The server was stopped", 10


class AttemptsExhausted(Problem):
    """Every process that took the file died or fell silent, too many times. Upload it again, or ask to retry it."""

    status, title = 500, "Too many attempts ended without a word"


class Deleted(Problem):
    """Somebody has deleted the file before all of it was stored. Nothing was kept. Do not send it again by itself."""

    status, title = 409, "The file was deleted while it was uploaded"


class LeaseLost(Problem):
    """Another process has taken over this file. Look its status up instead of sending it again."""

    status, title, retry_after = 503, "Another process has taken over", 5


def is_invalid_request(error: Exception) -> TypeGuard[Problem]:
    """Whether the request itself is wrong, so that sending it again can't help: nothing of its file is kept.

    A body that was cut or came too slowly (408) is not: after a disconnect the client may look its file up.
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
