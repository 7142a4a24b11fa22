"""The OpenAPI 3.1 document as plain data. The HTML reference is generated from the same data."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from http import HTTPStatus
from itertools import groupby
from typing import Any

from flask import Flask

from api.openapi.components import HEADERS
from api.openapi.operations import TAGS, Operation, operations
from api.openapi.problem_sets import AUTH, COMMON, ROUTING, UNSAFE
from api.openapi.schemas import ref, schemas
from problems import Problem, RangeNotSatisfiable, Unauthorized, UntrustedHost
from server.request_ids import HEADER as REQUEST_ID

VERSION = "0.1.0"

_DESCRIPTION = """Takes uploads over HTTP and carries them to object storage. A file that was accepted is never lost.

JSON names are snake_case, times RFC 3339 UTC, sizes bytes. Every failure is application/problem+json (RFC 9457), whose
type leads to its cause and its cure. Any other address is 404 not-found, any other method 405 method-not-allowed."""

_KEY_HELP = """An API key that has the scope which the operation names. On the machine that Ferry runs on none is needed
until the first one is made."""

_PATH_EXAMPLES = {"id": "$ID", "slug": "too-large", "name": "README.md"}
_CURL_UPLOADS = {
    ("post", False): " -F file=@README.md {}",
    ("put", False): " -X PUT -F file=@README.md {}",
    ("post", True): " --data-binary @README.md {}",
    ("put", True): " -T README.md {}",
}
"""curl options of an upload by method and whether the path contains the filename."""


@lru_cache(maxsize=1)
def document(app: Flask) -> dict[str, Any]:
    """The document of an app. Cached, because it takes 20 ms and a process has one app: callers must not modify it."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations(app):
        paths[operation.path][operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ferry",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": [{"name": tag} for tag in TAGS],
        "paths": dict(paths),
        "components": {
            "schemas": schemas(),
            "headers": HEADERS,
            "responses": {kind.slug(): _error_response([kind]) for kind in ROUTING},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _KEY_HELP}},
        },
    }


def operation_problems(operation: Operation) -> list[type[Problem]]:
    """The problems that an operation may return, by status."""
    kinds = {*COMMON, *operation.problems}
    kinds |= set(AUTH) if operation.scope else set()
    kinds |= set(UNSAFE) if operation.method != "get" else set()
    if operation.path.startswith("/healthz"):
        kinds.discard(UntrustedHost)
    return sorted(kinds, key=lambda kind: (kind.status, kind.slug()))


def curl(operation: Operation, root: str) -> str:
    """A curl command for the operation. `$ID` stands for a file's id; `root` is the base URL without a final slash."""
    path = re.sub(r"\{(\w+)\}", lambda match: _PATH_EXAMPLES[match[1]], operation.path)
    options = {
        "fetch_archive": ' -o files.zip "{}?ids=$ID"',
        "watch_file": " -N {}",
        "delete_file": " -X DELETE {}",
        "retry_file": " -X POST {}",
    }
    default = " {}" if operation.body is None else _CURL_UPLOADS[operation.method, "{name}" in operation.path]
    if operation.body and "application/json" in operation.body["content"]:
        default = " -H 'Content-Type: application/json' -d '{{\"ids\": [\"'$ID'\"]}}' {}"
    return "curl" + options.get(operation.id, default).format(f"{root}{path}")


def _operation(operation: Operation) -> dict[str, Any]:
    by_status = groupby(operation_problems(operation), lambda kind: kind.status)
    return {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        **({"parameters": list(operation.parameters)} if operation.parameters else {}),
        **({"requestBody": operation.body} if operation.body else {}),
        "responses": {str(status): answer for status, answer in operation.answers.items()}
        | {str(status): _error_response(list(kinds)) for status, kinds in by_status},
        "security": [{"key": [operation.scope]}, {}] if operation.scope else [],
    }


def _error_response(kinds: list[type[Problem]]) -> dict[str, Any]:
    """A response that is one of these problems, which share one status."""
    headers = [REQUEST_ID]
    headers += ["Retry-After"] if any(kind.status in (409, 429, 503, 507) for kind in kinds) else []
    headers += ["WWW-Authenticate"] if Unauthorized in kinds else []
    headers += ["Content-Range"] if RangeNotSatisfiable in kinds else []
    refs = [ref(kind.slug()) for kind in kinds]
    return {
        "description": f"{HTTPStatus(kinds[0].status).phrase}: {', '.join(f'`{kind.slug()}`' for kind in kinds)}.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {"application/problem+json": {"schema": refs[0] if len(refs) == 1 else {"oneOf": refs}}},
    }
