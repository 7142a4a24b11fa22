"""Parse successful responses. Each parser raises not_ferry_error() for a body that Ferry would not send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ferry_client.errors import FerryError
from ferry_client.files import File, Link
from ferry_client.http import Response
from ferry_client.proxies import strip_credentials

_MALFORMED = (KeyError, TypeError, ValueError, AttributeError)


def parse_file(response: Response) -> File:
    """Return the file in a response."""
    try:
        return File.from_json(parse_object(response))
    except _MALFORMED:
        raise not_ferry_error(response) from None


def parse_page(response: Response) -> tuple[Sequence[File], str | None]:
    """Return the files of a list and its next cursor."""
    try:
        page = parse_object(response)
        return [File.from_json(members) for members in page["files"]], page["next"]
    except _MALFORMED:
        raise not_ferry_error(response) from None


def parse_link(response: Response) -> Link:
    """Return the link in a response."""
    try:
        return Link.from_json(parse_object(response))
    except _MALFORMED:
        raise not_ferry_error(response) from None


def parse_batch(response: Response, member: str) -> tuple[Sequence[Any], Sequence[str]]:
    """Return the items under `member`, and the unknown ids."""
    batch = parse_object(response)
    try:
        return [*batch[member]], [*batch["unknown"]]
    except _MALFORMED:
        raise not_ferry_error(response) from None


def parse_object(response: Response) -> dict[str, Any]:
    """Return the JSON object in a response."""
    try:
        value = response.json()
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    raise not_ferry_error(response)


def not_ferry_error(response: Response) -> FerryError:
    """Return the error for a successful response that Ferry would not send."""
    url = strip_credentials(str(response.url.copy_with(query=None)))
    return FerryError(f"What answers at {url} is not Ferry", slug="not-ferry", status=response.status_code)
