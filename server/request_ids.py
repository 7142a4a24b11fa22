"""Request ids. A client or a proxy may choose one, so that the same id is found in the logs of both."""

from __future__ import annotations

import re

import uuid_utils

from content.redaction import redact_secrets

HEADER = "X-Request-ID"
_SAFE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def request_id(proposed: str | None) -> str:
    """The id that was sent with a request if it is safe to log and contains no secret; a new UUIDv7 otherwise."""
    accepted = proposed and _SAFE_ID.fullmatch(proposed) and redact_secrets(proposed) == proposed
    return proposed if proposed and accepted else str(uuid_utils.uuid7())
