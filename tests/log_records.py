"""Log records, and secrets that no log line may contain."""

from __future__ import annotations

import logging
import sys
from typing import Any

SECRET = "hunter2hunter2"
TOKEN = f"ferry_0123456789ab_{'aB3-_xY9zQ' * 4}end"


def record(message: str, *args: Any, name: str = "ferry.file", **extra: Any) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(name, logging.INFO, __file__, 1, message, args, None, extra=extra)


def failed(error: Exception) -> logging.LogRecord:
    try:
        raise error
    except Exception:
        return logging.getLogger().makeRecord("x", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
