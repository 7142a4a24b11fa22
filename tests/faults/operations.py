"""The S3 operation of a request, by method, path and query. Paths start with the bucket (path style)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

ANY = "any"
OPERATIONS = (
    "put_object", "create_multipart", "upload_part", "complete_multipart", "abort_multipart", "head_object",
    "get_object", "delete_object", "list_objects", "list_uploads", "other",
)  # fmt: skip

# For an object: method, a parameter that tells it apart, name. The first that fits counts.
_OF_AN_OBJECT = (
    ("PUT", "partNumber", "upload_part"),
    ("PUT", "", "put_object"),
    ("POST", "uploads", "create_multipart"),
    ("POST", "uploadId", "complete_multipart"),
    ("DELETE", "uploadId", "abort_multipart"),
    ("DELETE", "", "delete_object"),
    ("HEAD", "", "head_object"),
    ("GET", "uploadId", "other"),
    ("GET", "", "get_object"),
)


def operation(method: str, target: str) -> str:
    """One of OPERATIONS."""
    place = urlsplit(target)
    query = parse_qs(place.query, keep_blank_values=True)
    _, _, key = place.path.lstrip("/").partition("/")
    if key:
        fitting = (name for verb, mark, name in _OF_AN_OBJECT if verb == method and (not mark or mark in query))
        return next(fitting, "other")
    if method == "GET" and place.path.strip("/"):
        return "list_uploads" if "uploads" in query else "list_objects"
    return "other"
