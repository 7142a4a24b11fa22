"""Parse upload requests: forms and raw bodies become a name, a type and a stream that is read while it arrives."""

from __future__ import annotations

from sent.form import FIELD
from sent.upload import Sent, least, media_type, take

__all__ = ["FIELD", "Sent", "least", "media_type", "take"]
