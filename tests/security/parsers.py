"""Parsers of client input, each called as the service calls it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Request, json
from gunicorn.config import Config
from gunicorn.http.body import Body
from gunicorn.http.message import Request as Message
from werkzeug.datastructures import Headers

import logs
from api.conditional import if_range_matches, is_not_modified
from api.json_bodies import parse_body
from api.parameters import parse_query
from api.partial_uploads import reject_chunk_parameters, reject_file_chunk
from api.query_names import check_names
from api.query_schemas import ListQuery
from api.ranges import parse_range
from api.schemas import Ids
from api.upload_request import media_type, parse
from api.upload_request.fields import RECOGNIZED
from api.upload_request.filename import declared_names, resolve_name
from auth.api_keys import key_id_in_token
from content.filename_encoding import check_query
from lifecycle.idempotency import idempotent
from problems import Problem
from security.cross_site import is_cross_site
from security.trusted_hosts import is_trusted
from server.request_head import head_state
from server.request_ids import request_id
from server.unreader import Unreader
from tests.fakes import BOUNDARY, form, part
from tests.wsgi import request

PART_HEAD, FIELD, URL, JSON, NAME, MEMBERS = 8 << 10, 8190, 4094, 64 << 10, 255, 1000
FORM = (1 << 20) - 1024


def received(body: bytes, boundary: str = BOUNDARY) -> None:
    """Parse a whole form, in chunks as a socket returns them."""
    incoming = request(body, f'multipart/form-data; boundary="{boundary}"', sizes=[64 << 10])
    with suppress(Problem):
        for _ in parse(incoming, 4 << 20).stream:
            pass


def head_of_part(made: str) -> None:
    received(form(f"Content-Disposition: {made}\r\n\r\ncontent".encode()))


def form_with(boundary: str) -> Callable[[bytes], None]:
    """Forms with the text in the preamble, in a field, in the file and after the end: four, since most are refused."""

    def read(made: bytes) -> None:
        whole = form(part("file", b"x", "a"))
        for body in (
            made + b"\r\n" + whole,
            form(part("text", made[: 60 << 10]), part("file", b"x", "a")),
            form(part("file", made, "a")),
            whole + made,
        ):
            received(body.replace(f"--{BOUNDARY}".encode(), b"--" + boundary.encode()), boundary)

    return read


def names_in_head(text: str) -> None:
    for path, query, disposition in ((text, "", ""), (None, text, ""), (None, "", text)):
        with suppress(Problem):
            resolve_name(declared_names(path, f"/{text}", query, disposition))


def fields_of_a_form(text: str) -> None:
    """Each field that Ferry reads, before the file and after it."""
    for field in RECOGNIZED:
        made = part(field, text.encode("utf-8", "replace"))
        received(form(made, part("file", b"x", "a")))
        received(form(part("file", b"x", "a"), made))


def byte_by_byte(head: bytes) -> None:
    """As the worker reads a head that arrives byte by byte."""
    server, client = socket.socketpair()
    with client, server:
        unreader, seen = Unreader(server), 0
        for at in range(len(head)):
            client.send(head[at : at + 1])
            head = unreader.read_head()
            head_state(head, URL, seen)
            seen = len(head or b"")


def message(wire: bytes) -> Message:
    server, client = socket.socketpair()
    with client, server:
        client.sendall(wire)
        client.shutdown(socket.SHUT_WR)
        return Message(Config(), Unreader(server), ("127.0.0.1", 1))


def chunks(wire: bytes) -> None:
    server, client = socket.socketpair()
    with client, server:
        client.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + wire)
        client.shutdown(socket.SHUT_WR)
        body: Body = Message(Config(), Unreader(server), ("127.0.0.1", 1)).body
        while body.read(1 << 20):
            pass


def conditions(value: str) -> None:
    for name in ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"):
        with suppress(Exception):
            is_not_modified(Headers({name: value}), "0a", 1)
    if_range_matches(value, "0a", 1)


def query(text: str) -> None:
    with suppress(Exception):
        check_query(text.encode("latin-1", "replace"))
    environ = {"QUERY_STRING": text.encode("utf-8", "replace").decode("latin-1"), "wsgi.url_scheme": "http"}
    args = Request(environ).args
    with suppress(Problem):
        check_names(args, ("name", "expires_in"))
    with suppress(Problem):
        reject_chunk_parameters(args)
    for name in ("limit", "sort", "prefix", "created_after", "cursor"):
        with suppress(Exception):
            parse_query({name: text}, ListQuery).filters()
    list(args.items(multi=True))


def logged(text: str) -> None:
    atoms = {"h": "a", "m": "GET", "U": text[:URL], "s": "404", "B": 1, "M": 1}
    for record in (_record("ferry", "%s", text), _record("gunicorn.access", "%(U)s", atoms)):
        logs.JsonFormatter().format(record)
        logs.TextFormatter().format(record)


def _record(name: str, *args: Any) -> Any:
    return logs.logging.getLogger(name).makeRecord(name, 20, "", 1, args[0], args[1:], None)


def small_headers(value: str) -> None:
    """Headers that are only matched against a pattern."""
    for rule in (media_type, key_id_in_token, request_id):
        rule(value)
    parse_range(f"bytes={value}", 100)
    is_trusted(value, ["a"])
    is_cross_site("POST", "a", site=value, origin=value, has_token=False, allowed=())
    with suppress(Exception), idempotent(value + "x" * NAME, None):  # type: ignore[arg-type]
        pass


def as_json(text: str) -> None:
    parse_body(json.loads(text), Ids)


def of_chunks(text: str) -> None:
    headers = Headers([(f"X-{number}", text[:FIELD]) for number in range(4)])
    reject_file_chunk(headers, [("metadata", text), (text, "1")] * 10)
