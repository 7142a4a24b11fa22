"""The little XML that S3 speaks, as strings."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape


def element(name: str, content: str) -> str:
    """One element around XML that is ready."""
    return f"<{name}>{content}</{name}>"


def tags(**fields: str | int) -> str:
    """One element for each field, its value escaped."""
    return "".join(element(name, escape(str(value))) for name, value in fields.items())


def document(root: str, content: str) -> bytes:
    """A whole document."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{element(root, content)}'.encode()


def rows(text: bytes, name: str) -> list[dict[str, str]]:
    """The children of the root called `name`, each as a dict of its own children's text. Raises ValueError."""
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise ValueError(str(error)) from error
    return [{_plain(tag): tag.text or "" for tag in child} for child in root if _plain(child) == name]


def _plain(tag: ET.Element) -> str:
    return tag.tag.rpartition("}")[2]
