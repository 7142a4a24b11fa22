"""The id of a request. Its client may choose it, a proxy say, so that one id is found in the logs of both."""

from __future__ import annotations

import re

import uuid_utils

from content.redaction import redact_secrets

HEADER = "X-Request-ID"
_HARMLESS = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def request_id(sent: str | None) -> str:
    """The id that came with a request, if it is harmless in a log and holds no secret; otherwise a new one."""
    is_good = sent and _HARMLESS.fullmatch(sent) and redact_secrets(sent) == sent
    return sent if sent and is_good else str(uuid_utils.uuid7())
