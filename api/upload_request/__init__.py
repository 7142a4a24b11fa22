"""Parse upload requests: forms and raw bodies become a name, a type and a stream that is read while it arrives."""

from __future__ import annotations

from api.upload_request.form import FIELD
from api.upload_request.request import IncomingFile, least, media_type, parse

__all__ = ["FIELD", "IncomingFile", "least", "media_type", "parse"]
