"""The problems of operations, as sets. COMMON, AUTH and UNSAFE apply by themselves; a view names the others."""

from __future__ import annotations

import problems as p
from storage.base import ObjectMissing, StorageError, StorageUnavailable

Kinds = tuple[type[p.Problem], ...]

COMMON: Kinds = (
    p.Problem, p.BadRequest, p.BadEncoding, p.UntrustedHost, p.RequestTimeout, p.UriTooLong, p.ExpectationFailed,
    p.HeadersTooLarge, p.TransferCodingUnknown, p.VersionNotSupported,
)  # fmt: skip
AUTH: Kinds = (p.Unauthorized, p.ScopeMissing, p.TooManyRequests, p.DatabaseUnavailable, p.InvalidParameter)
"""Of operations that need a scope."""

UNSAFE: Kinds = (p.CrossSiteRequest,)
"""Of every method except GET."""

ROUTING: Kinds = (p.NotFound, p.MethodNotAllowed)
"""Of every other path and method."""

STORAGE: Kinds = (StorageError, *StorageError.__subclasses__(), *StorageUnavailable.__subclasses__())
JSON_BODY: Kinds = (p.UnsupportedMediaType, p.TooLarge, p.IncompleteBody, p.InvalidBody, p.TooManyUploads)
UPLOAD: Kinds = (
    p.MissingFile, p.MissingFilename, p.FilenameTooLong, p.TooManyFiles, p.UnexpectedFile, p.ChunkedUpload,
    p.MalformedMultipart, p.FormTooLarge, p.IncompleteBody, p.TooLarge, p.UnsupportedMediaType, p.TypeNotAllowed,
    p.LengthRequired, p.TooManyUploads, p.QuotaExceeded, p.IdempotencyKeyInvalid,
    p.IdempotencyKeyInUse, p.IdempotencyKeyReused,
)  # fmt: skip
STORE: Kinds = (*UPLOAD, p.Deleted, p.LeaseLost, *STORAGE)
"""Of an upload that is stored before the answer."""

SPOOL: Kinds = (*UPLOAD, p.SpoolDiskFull, p.SpoolLimitReached)
"""Of an upload that is spooled before the answer."""

DOWNLOAD: Kinds = (p.NotFound, p.NotReady, ObjectMissing, *STORAGE, p.TooManyDownloads)
