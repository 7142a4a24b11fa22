"""Parse upload requests: a form or a raw body becomes a name, a type and a stream that is read as it arrives."""

from __future__ import annotations

from api.upload_request.form import FILE_FIELD_NAME
from api.upload_request.request import media_type, min_file_size, parse

__all__ = ["FILE_FIELD_NAME", "media_type", "min_file_size", "parse"]
