"""One exception class for each kind of problem. Generated from the server's problems.py."""

from ferry_client.errors import FerryError


class AttemptsExhausted(FerryError):
    """Every attempt died or lost its lease, too many times. Upload the file again, or retry it."""

    slug = "attempts-exhausted"


class BadEncoding(FerryError):
    """A filename or the query is not UTF-8, or names an unknown charset. Send it as UTF-8."""

    slug = "bad-encoding"


class BadRequest(FerryError):
    """The request is not valid HTTP, or its body is not valid JSON."""

    slug = "bad-request"


class BytesDamaged(FerryError):
    """The bytes on the way to the storage differ from those received, and were not stored."""

    slug = "bytes-damaged"


class BytesGone(FerryError):
    """The server no longer has the file's bytes, or never spooled them (normal mode). Upload the file again."""

    slug = "bytes-gone"


class BytesLost(FerryError):
    """The spooled bytes of this file can't be read. Upload the file again."""

    slug = "bytes-lost"


class ChunkedUpload(FerryError):
    """The request carries one chunk of a file. Send the whole file in one request: `detail` says how."""

    slug = "chunked-upload"


class CrossSiteRequest(FerryError):
    """A page of another web site sent this request. `detail` names both sites, and the settings that allow it."""

    slug = "cross-site-request"


class DatabaseUnavailable(FerryError):
    """The database can't be reached or does not respond. Nothing was accepted. Try again later."""

    slug = "database-unavailable"


class Deleted(FerryError):
    """The file was deleted before all of it was stored. Nothing was stored. Do not resend it automatically."""

    slug = "deleted"


class ExpectationFailed(FerryError):
    """The Expect header is not 100-continue. Remove it."""

    slug = "expectation-failed"


class FilenameTooLong(FerryError):
    """The filename is longer than 255 bytes of UTF-8. Shorten it."""

    slug = "filename-too-long"


class FormTooLarge(FerryError):
    """The form has too many fields, or too many bytes in fields other than `file`."""

    slug = "form-too-large"


class HeadersTooLarge(FerryError):
    """The request has too many or too long headers. Send fewer; cookies are often the cause."""

    slug = "headers-too-large"


class IdempotencyKeyInUse(FerryError):
    """A request with this Idempotency-Key is in progress. Wait for its response, or try again later."""

    slug = "idempotency-key-in-use"


class IdempotencyKeyInvalid(FerryError):
    """An Idempotency-Key is 1 to 255 printable ASCII characters, without a space at either end. Use a UUID."""

    slug = "idempotency-key-invalid"


class IdempotencyKeyReused(FerryError):
    """This Idempotency-Key was used for another file, name or endpoint. Use a new key for a new request."""

    slug = "idempotency-key-reused"


class IncompleteBody(FerryError):
    """The body is shorter than announced, or the connection was closed. Nothing was stored. Send it again."""

    slug = "incomplete-body"


class InternalError(FerryError):
    """Ferry failed unexpectedly and has logged the error. The same request may succeed later."""

    slug = "internal-error"


class InvalidBody(FerryError):
    """The JSON body does not match the schema: `pointer` (RFC 6901) names the invalid member."""

    slug = "invalid-body"


class InvalidParameter(FerryError):
    """A query parameter or form field is unknown, invalid, repeated or placed after the file: see `parameter`."""

    slug = "invalid-parameter"


class LeaseLost(FerryError):
    """Another process has taken over this file. Check its status instead of sending it again."""

    slug = "lease-lost"


class LengthRequired(FerryError):
    """The request has no body of known length. Send Content-Length or Transfer-Encoding: chunked."""

    slug = "length-required"


class MalformedMultipart(FerryError):
    """The body is not multipart/form-data (RFC 7578), or the header of a part is too large. Check the boundary."""

    slug = "malformed-multipart"


class MethodNotAllowed(FerryError):
    """The path does not support this method. The Allow header lists those it supports."""

    slug = "method-not-allowed"


class MissingFile(FerryError):
    """The form has no field `file`, or no file was chosen. Send the file in the field `file`."""

    slug = "missing-file"


class MissingFilename(FerryError):
    """The file has no name. Set `filename` on the form part; for a raw body use the path or `?name=`."""

    slug = "missing-filename"


class NotFailed(FerryError):
    """Only a file with status ERROR can be retried. Check its status."""

    slug = "not-failed"


class NotFound(FerryError):
    """Nothing exists at this path. The response to an upload has the file's id."""

    slug = "not-found"


class NotReady(FerryError):
    """The file is not COMPLETE: see `file_status`. `Retry-After` means that it may be soon. `ids` lists all."""

    slug = "not-ready"


class ObjectMissing(FerryError):
    """The file was stored, and its object was later removed from outside Ferry. Upload the file again."""

    slug = "object-missing"


class PreconditionFailed(FerryError):
    """The file is not the one in If-Match or If-Unmodified-Since. Send the request without them."""

    slug = "precondition-failed"


class QuotaExceeded(FerryError):
    """The owner of this key has used up the quota: see the numbers. Delete files, or ask the operator."""

    slug = "quota-exceeded"


class RangeNotSatisfiable(FerryError):
    """The range starts after the file's last byte, or is empty. `size` is the file's size in bytes."""

    slug = "range-not-satisfiable"


class RelayLost(FerryError):
    """The transfer over Redis to the worker was interrupted. The bytes are still spooled and will be sent again."""

    slug = "relay-lost"


class RequestTimeout(FerryError):
    """The request arrived too slowly, or stalled. Nothing was stored. Send it again over a faster connection."""

    slug = "request-timeout"


class ScopeMissing(FerryError):
    """The API key lacks the scope in `scope`. Use a key that has it."""

    slug = "scope-missing"


class ServerStopped(FerryError):
    """The server shut down while it processed the file. A spooled file is processed again."""

    slug = "server-stopped"


class StorageClockSkew(FerryError):
    """The clocks of the server and of its storage differ too much. The operator must set one: see `flask doctor`."""

    slug = "storage-clock-skew"


class StorageDenied(FerryError):
    """The storage rejected the server's credentials or permissions. The operator must fix this: see `flask doctor`."""

    slug = "storage-denied"


class StorageError(FerryError):
    """The storage rejected the request or sent an invalid response. The operator finds the cause: `flask doctor`."""

    slug = "storage-error"


class StorageFull(FerryError):
    """The server's disk has no space for the file. Nothing was stored. Try again later, or send a smaller file."""

    slug = "storage-full"


class StorageMismatch(FerryError):
    """The stored object differs from the bytes that were sent, or does not exist. The file does not count as stored."""

    slug = "storage-mismatch"


class StorageMissing(FerryError):
    """The storage has no such object. It was deleted, or its upload never succeeded."""

    slug = "storage-missing"


class StorageNoBucket(FerryError):
    """The storage has no such bucket. The operator must fix this: see `flask doctor`."""

    slug = "storage-no-bucket"


class StorageNoUpload(FerryError):
    """The storage does not know this multipart upload any more: it has ended, or its parts were removed. Retry."""

    slug = "storage-no-upload"


class StorageQuotaExceeded(FerryError):
    """The storage is full, or its quota is used up. Retry once the operator has freed space there."""

    slug = "storage-quota-exceeded"


class StorageRejected(FerryError):
    """The storage rejected the object, for example because it is too large."""

    slug = "storage-rejected"


class StorageUnavailable(FerryError):
    """The storage is unreachable, overloaded or does not respond. Retry later."""

    slug = "storage-unavailable"


class StorageUnsupported(FerryError):
    """The storage does not support the request. The operator must fix this: see `flask doctor`."""

    slug = "storage-unsupported"


class StorageWrongRegion(FerryError):
    """The bucket is in another region than the configured one. The operator must fix this: see `flask doctor`."""

    slug = "storage-wrong-region"


class TooLarge(FerryError):
    """The file is larger than this server or endpoint accepts: see `max_bytes`."""

    slug = "too-large"


class TooManyDownloads(FerryError):
    """This client already has `most` concurrent transfers. Wait until one ends, or have the limit raised."""

    slug = "too-many-downloads"


class TooManyFiles(FerryError):
    """The form has more than one field `file`. Send one request per file."""

    slug = "too-many-files"


class TooManyRequests(FerryError):
    """This client exceeds its rate limit. Wait for the seconds in `Retry-After`."""

    slug = "too-many-requests"


class TooManyUploads(FerryError):
    """This client already has `most` concurrent transfers. Wait until one ends, or have the limit raised."""

    slug = "too-many-uploads"


class TooManyWatchers(FerryError):
    """All places for event streams and long polls are taken. Ask for the status without waiting."""

    slug = "too-many-watchers"


class TooMuchWaiting(FerryError):
    """The spool has reached its byte limit. Nothing was accepted. Try again later."""

    slug = "too-much-waiting"


class TransferCodingUnknown(FerryError):
    """The transfer coding is not chunked. Send the body unencoded."""

    slug = "transfer-coding-unknown"


class TypeNotAllowed(FerryError):
    """The type found in the file's bytes (`detected_type`) is not allowed. `detail` lists the allowed types."""

    slug = "type-not-allowed"


class Unauthorized(FerryError):
    """The request needs a known, unexpired API key: `Authorization: Bearer ferry_…`."""

    slug = "unauthorized"


class UnexpectedFile(FerryError):
    """The form has a file in another field. Send it in the field `file`."""

    slug = "unexpected-file"


class UnsupportedMediaType(FerryError):
    """The body is compressed, a form part is encoded, or JSON lacks its Content-Type: see `detail`."""

    slug = "unsupported-media-type"


class UntrustedHost(FerryError):
    """The service does not answer for the request's Host. The operator can add it to TRUSTED_HOSTS."""

    slug = "untrusted-host"


class UriTooLong(FerryError):
    """The request line is longer than the server reads. Shorten the URL."""

    slug = "uri-too-long"


class VersionNotSupported(FerryError):
    """The request is neither HTTP/1.0 nor HTTP/1.1."""

    slug = "version-not-supported"


KINDS: dict[str, type[FerryError]] = {
    kind.slug: kind for kind in FerryError.__subclasses__() if kind.__module__ == __name__
}
