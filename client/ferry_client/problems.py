"""One class for every kind of problem that the server answers with. Made from Ferry's own, not by hand."""

from ferry_client.errors import FerryError


class AttemptsExhausted(FerryError):
    """Every process that took the file died or fell silent, too many times. Upload it again, or ask to retry it."""

    slug = "attempts-exhausted"


class BadEncoding(FerryError):
    """A filename or the query holds bytes that are not UTF-8, or names an unknown charset. Send them in UTF-8."""

    slug = "bad-encoding"


class BadRequest(FerryError):
    """The request can't be understood as HTTP says it should be written."""

    slug = "bad-request"


class BytesDamaged(FerryError):
    """The bytes on their way to the storage are not the bytes that were received. They were not stored."""

    slug = "bytes-damaged"


class BytesGone(FerryError):
    """The file's bytes are not kept any more, or never were (normal mode keeps none). Upload the file again."""

    slug = "bytes-gone"


class BytesLost(FerryError):
    """The bytes that were kept for this file can't be read any more. Upload the file again."""

    slug = "bytes-lost"


class ChunkedUpload(FerryError):
    """The request carries one chunk of a file. Send the whole file in one: `detail` names what to switch off."""

    slug = "chunked-upload"


class CrossSiteRequest(FerryError):
    """A page of another web site had the browser send this. `detail` names both, and the settings that let it."""

    slug = "cross-site-request"


class DatabaseUnavailable(FerryError):
    """The database can't be reached or does not answer. Nothing was accepted; try again later."""

    slug = "database-unavailable"


class Deleted(FerryError):
    """Somebody has deleted the file before all of it was stored. Nothing was kept. Do not send it again by itself."""

    slug = "deleted"


class ExpectationFailed(FerryError):
    """The header Expect asks for something other than 100-continue. Leave it out."""

    slug = "expectation-failed"


class FilenameTooLong(FerryError):
    """The file's name is longer than 255 bytes of UTF-8. Send it under a shorter name."""

    slug = "filename-too-long"


class FormTooLarge(FerryError):
    """The form has too many fields, too much in the fields beside `file`, or a part with too long a header."""

    slug = "form-too-large"


class HeadersTooLarge(FerryError):
    """The request has too many headers, or too long ones. Send fewer; cookies are often the cause."""

    slug = "headers-too-large"


class IdempotencyKeyInUse(FerryError):
    """A request with this Idempotency-Key is on its way. Wait for its answer, or ask again a little later."""

    slug = "idempotency-key-in-use"


class IdempotencyKeyInvalid(FerryError):
    """An Idempotency-Key is 1 to 255 printable ASCII characters, and no space at either end. A UUID does well."""

    slug = "idempotency-key-invalid"


class IdempotencyKeyReused(FerryError):
    """This Idempotency-Key was used for another file, name or way of uploading. Take a new key for a new request."""

    slug = "idempotency-key-reused"


class IncompleteBody(FerryError):
    """Fewer bytes arrived than were announced, or the connection ended. Nothing was kept; send it again."""

    slug = "incomplete-body"


class InternalError(FerryError):
    """Something went wrong inside Ferry. It has been logged; the same request may work later."""

    slug = "internal-error"


class InvalidBody(FerryError):
    """The body's JSON is not what belongs here: `pointer` (RFC 6901) leads to what is wrong."""

    slug = "invalid-body"


class InvalidParameter(FerryError):
    """A parameter of the query or a form field is unknown, invalid, given twice or behind the file: see `parameter`."""

    slug = "invalid-parameter"


class LeaseLost(FerryError):
    """Another process has taken over this file. Look its status up instead of sending it again."""

    slug = "lease-lost"


class LengthRequired(FerryError):
    """The request has no body with a known end. Send Content-Length or Transfer-Encoding: chunked."""

    slug = "length-required"


class MalformedMultipart(FerryError):
    """The body is not the multipart/form-data that its header announces (RFC 7578). Check boundary and client."""

    slug = "malformed-multipart"


class MethodNotAllowed(FerryError):
    """The address exists, but not for this method. The header Allow lists the methods it takes."""

    slug = "method-not-allowed"


class MissingFile(FerryError):
    """The form has no field `file`, or no file was chosen in it. Send the file in the field `file`."""

    slug = "missing-file"


class MissingFilename(FerryError):
    """The file has no name. A form's part needs a `filename`; a raw body a name in the path, or `?name=`."""

    slug = "missing-filename"


class NotFailed(FerryError):
    """Only a file whose status is ERROR can be tried again. Look its status up."""

    slug = "not-failed"


class NotFound(FerryError):
    """There is nothing at this address. A file's id is in the answer to its upload."""

    slug = "not-found"


class NotReady(FerryError):
    """The file is not stored: see `file_status`. With a `Retry-After` it may be soon. `ids` names all such."""

    slug = "not-ready"


class ObjectMissing(FerryError):
    """The file was stored, and something else has removed its object since. Upload the file again."""

    slug = "object-missing"


class PreconditionFailed(FerryError):
    """The file is not the one that If-Match or If-Unmodified-Since names. Ask for it without them."""

    slug = "precondition-failed"


class QuotaExceeded(FerryError):
    """The files of this key's owner have used up what they may: see the numbers. Delete files, or ask the operator."""

    slug = "quota-exceeded"


class RangeNotSatisfiable(FerryError):
    """The range begins after the file's last byte, or asks for none. `size` is how many bytes the file has."""

    slug = "range-not-satisfiable"


class RelayLost(FerryError):
    """The bytes stopped coming on their way over Redis to the worker. They are kept, and will be sent again."""

    slug = "relay-lost"


class RequestTimeout(FerryError):
    """The request came too slowly, or stopped coming. Nothing was kept; send it again over a better connection."""

    slug = "request-timeout"


class ScopeMissing(FerryError):
    """The API key may not do this: see `scope`. Use a key that has it."""

    slug = "scope-missing"


class ServerStopped(FerryError):
    """The server was stopped while it worked on the file. A file whose bytes are kept is taken up again."""

    slug = "server-stopped"


class StorageClockSkew(FerryError):
    """The clocks of the server and of its storage are too far apart. The operator has to set one: `flask doctor`."""

    slug = "storage-clock-skew"


class StorageDenied(FerryError):
    """The storage refused the server's credentials or rights. The operator has to mend this: `flask doctor`."""

    slug = "storage-denied"


class StorageError(FerryError):
    """The storage did not take the file. `permanent` says whether trying again can help."""

    slug = "storage-error"


class StorageFull(FerryError):
    """The server's disk has no room for the file. Nothing was kept; try again later, or send a smaller file."""

    slug = "storage-full"


class StorageMismatch(FerryError):
    """What the storage holds is not what was sent, or is not there. The file does not count as stored."""

    slug = "storage-mismatch"


class StorageMissing(FerryError):
    """The storage has no such object. It was deleted, or its upload never ended well."""

    slug = "storage-missing"


class StorageNoBucket(FerryError):
    """The storage has no such bucket. The operator has to mend this: `flask doctor`."""

    slug = "storage-no-bucket"


class StorageNoUpload(FerryError):
    """The storage does not know this upload in parts any more: it has ended, or its parts were removed. Try again."""

    slug = "storage-no-upload"


class StorageQuotaExceeded(FerryError):
    """The storage is full, or its quota is used up. Try again once the operator has made room there."""

    slug = "storage-quota-exceeded"


class StorageRejected(FerryError):
    """The storage refused the object as it is, for instance as too large for it."""

    slug = "storage-rejected"


class StorageUnavailable(FerryError):
    """The storage can't be reached, is too busy or does not answer. Try again later."""

    slug = "storage-unavailable"


class StorageUnsupported(FerryError):
    """The storage does not support a request like this one. The operator has to mend this: `flask doctor`."""

    slug = "storage-unsupported"


class StorageWrongRegion(FerryError):
    """The bucket is in another region than the server asks. The operator has to mend this: `flask doctor`."""

    slug = "storage-wrong-region"


class TooLarge(FerryError):
    """The file is larger than this server (or this way of uploading) accepts: see `max_bytes`."""

    slug = "too-large"


class TooManyDownloads(FerryError):
    """This caller has `most` downloads, uploads and other bodies on their way. Wait for one, or have `most` raised."""

    slug = "too-many-downloads"


class TooManyFiles(FerryError):
    """The form has more than one field `file`. Send one request a file."""

    slug = "too-many-files"


class TooManyRequests(FerryError):
    """This caller asks more often than it may. Wait for as many seconds as `Retry-After` says."""

    slug = "too-many-requests"


class TooManyUploads(FerryError):
    """This caller has `most` uploads, other bodies and downloads on their way. Wait for one, or have `most` raised."""

    slug = "too-many-uploads"


class TooManyWatchers(FerryError):
    """As many streams of events and waiting requests are open as the server has places for. Ask without waiting."""

    slug = "too-many-watchers"


class TooMuchWaiting(FerryError):
    """As many bytes wait to be stored as this server may keep. Nothing was accepted; try again later."""

    slug = "too-much-waiting"


class TransferCodingUnknown(FerryError):
    """The body comes in a transfer coding other than chunked. Send it as it is."""

    slug = "transfer-coding-unknown"


class TypeNotAllowed(FerryError):
    """The file's bytes are of a type (`detected_type`) that is not accepted here: `detail` says which types are."""

    slug = "type-not-allowed"


class Unauthorized(FerryError):
    """This needs an API key that is known and has not ended, sent as `Authorization: Bearer ferry_…`."""

    slug = "unauthorized"


class UnexpectedFile(FerryError):
    """The form carries a file in a field of another name. Send it in the field `file`."""

    slug = "unexpected-file"


class UnsupportedMediaType(FerryError):
    """The body is compressed, a part of the form is encoded, or JSON is not declared as such: see `detail`."""

    slug = "unsupported-media-type"


class UntrustedHost(FerryError):
    """The request is for a host that the service does not answer for. The operator can add it to TRUSTED_HOSTS."""

    slug = "untrusted-host"


class UriTooLong(FerryError):
    """The request's first line is longer than the server reads. Put less into the address."""

    slug = "uri-too-long"


class VersionNotSupported(FerryError):
    """The request is not in HTTP/1.0 or HTTP/1.1."""

    slug = "version-not-supported"


KINDS: dict[str, type[FerryError]] = {
    kind.slug: kind for kind in FerryError.__subclasses__() if kind.__module__ == __name__
}
