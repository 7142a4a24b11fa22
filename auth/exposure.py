"""Whether Ferry starts where strangers reach it: with a key that keeps them out, or when it was told to let them in."""

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

log = logging.getLogger("ferry.strangers")


def check_exposure(app: Flask, addresses: Sequence[object]) -> None:
    """Raises ConfigError where a service that listens on these socket addresses would let in everybody unasked.

    A database that does not answer does not decide it: until it does, strangers are refused.
    """
    outside = ", ".join(format_address(address) for address in addresses if not _is_loopback(address))
    if not outside:
        return
    with app.app_context():
        if config.current().allow_anonymous:
            log.warning("ALLOW_ANONYMOUS=1: whoever reaches %s may upload and see files", outside)
            return
        with suppress(SQLAlchemyError):
            if not api_keys.any_exists():
                raise ConfigError(_EXPOSED.format(outside))


_EXPOSED = """Ferry would listen on {}, and no API key exists: anybody could use it.
Make a key with `flask keys create --owner NAME`, listen on 127.0.0.1 (HOST), or set ALLOW_ANONYMOUS=1."""


def _is_loopback(address: object) -> bool:
    """Of a socket's address. What is no IP address is a Unix socket, behind which a proxy may stand."""
    return isinstance(address, tuple) and is_loopback(address[0])
