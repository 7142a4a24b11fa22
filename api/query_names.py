"""Reject queries that are not UTF-8, parameters that the OpenAPI document does not list, and repeated ones."""

from __future__ import annotations

from collections.abc import Collection

from flask import Flask, current_app, request
from werkzeug.datastructures import MultiDict

from api.openapi.operations import operation_of
from api.partial_uploads import reject_chunk_parameters, reject_file_chunk
from api.query_schemas import UploadQuery
from content.filename_encoding import check_query
from problems import InvalidParameter

_MAX_SHOWN = 64
"""Characters of an unknown name that are repeated to the client."""


def check_names(args: MultiDict[str, str], known: Collection[str]) -> None:
    """Raise InvalidParameter for a parameter that is not in `known` or is repeated."""
    for name in args:
        shown = name[:_MAX_SHOWN]
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "takes none"
            raise InvalidParameter(f"Unknown parameter {shown!r}: this operation {takes}.", parameter=shown)
        if len(args.getlist(name)) > 1:
            raise InvalidParameter(f"{shown} is given more than once.", parameter=shown)


def _check_encoding() -> None:
    """Raise BadEncoding, whatever the path: Werkzeug keeps an invalid escape and fails at a raw byte."""
    check_query(request.query_string)


def _check_names() -> None:
    """Check the query of operations that need a scope. To the others load balancers and trackers add parameters.

    Chunk numbers in an upload's query raise ChunkedUpload instead, whose detail says what to switch off.
    """
    operation = operation_of(current_app.view_functions.get(request.endpoint or ""))
    if request.query_string and operation and operation.scope and request.method != "OPTIONS":
        if operation.query is UploadQuery:
            reject_file_chunk(request.headers, request.args.items(multi=True))
            reject_chunk_parameters(request.args)
        check_names(request.args, operation.query.__struct_encode_fields__ if operation.query else ())


def init_app(app: Flask) -> None:
    """Check the query of every request, its encoding first."""
    app.before_request(_check_encoding)
    app.before_request(_check_names)
