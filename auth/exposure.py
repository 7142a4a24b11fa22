"""The check at start-up that Ferry is not open to anonymous clients by accident."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

import config
from auth import api_keys
from config import ConfigError
from server.addresses import format_address, is_loopback

log = logging.getLogger("ferry.auth")


def check_exposure(app: Flask, addresses: Sequence[object]) -> None:
    """Raises ConfigError if a service on these socket addresses would serve anonymous clients of other machines.

    A database that is unavailable does not stop the start: until it answers, every anonymous request fails anyway.
    """
    exposed = ", ".join(format_address(address) for address in addresses if not _is_loopback(address))
    if not exposed:
        return
    with app.app_context():
        if config.current().allow_anonymous:
            log.warning("auth.anonymous_allowed: ALLOW_ANONYMOUS=1, %s accepts any client", exposed)
            return
        with suppress(SQLAlchemyError):
            if not api_keys.any_exists():
                raise ConfigError(_EXPOSED.format(exposed))


_EXPOSED = """Ferry would listen on {}, and no API key exists: any client could use it.
Create a key with `flask keys create --owner NAME`, listen on 127.0.0.1 (HOST), or set ALLOW_ANONYMOUS=1."""


def _is_loopback(address: object) -> bool:
    """Whether a socket address is a loopback address. A Unix socket is not: a proxy may stand in front of it."""
    return isinstance(address, tuple) and is_loopback(address[0])
