"""Parse upload requests: forms and raw bodies become a name, a type and a stream that is read while it arrives."""

from __future__ import annotations

from api.upload_request.form import FIELD
from api.upload_request.request import IncomingFile, media_type, min_file_size, parse

__all__ = ["FIELD", "IncomingFile", "media_type", "min_file_size", "parse"]
