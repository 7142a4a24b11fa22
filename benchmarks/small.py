"""Small files and small questions, and the form parser alone: what a request costs besides its bytes."""

from __future__ import annotations

import io
import os
import subprocess
import time

from flask import Request
from lab import BIN, ROOT, Lab
from measure import Spread, by_turns, ratio
from rows import MIB, Row, median, rate
from upload import form_request, get_request, upload_form
from werkzeug.test import EnvironBuilder

from api.upload_request import parse


def small(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """Small files and small questions, 8 connections, one process each."""
    sink = lab.sink()
    ferry, (naive, _) = lab.ferry(sink), lab.naive(sink)
    body = form_request("/normal_upload", os.urandom(4096))
    uploads = by_turns(
        {
            "Ferry": lambda: rate(ferry, body, 1500),
            "the naive app": lambda: rate(naive, body, 500),
        },
        rounds,
    )
    id = upload_form(ferry.port, "/normal_upload", lab.file(1000)).json()["id"]
    reads = by_turns(
        {
            "Ferry": lambda: rate(ferry, get_request(f"/files/{id}"), 4000),
            "constant": lambda: rate(ferry, get_request("/healthz"), 4000),
        },
        rounds,
    )
    rows = []
    for label, found, base, target in (
        ("4 KB files a second, normal", uploads, "the naive app", 3.0),
        ("GET /files/<id> a second ÷ a constant JSON route", reads, "constant", 0.6),
    ):
        against = ratio(found, "Ferry", base)
        medians = [Spread.of(found[name]).median for name in ("Ferry", base)]
        text = f"{medians[0]:.0f}/s against {medians[1]:.0f}/s, ratio {against}"
        rows.append(Row(label, text, against.median, target, at_least=True))
    return {"Small things": rows}


def guarded(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """A status lookup with an API key and a limit that Redis counts, against one without authentication."""
    sink, redis = lab.sink(), lab.redis()
    env = lab.ferry_env(sink, redis, REQUEST_RATE_LIMIT="100000000/minute")
    unguarded, guarded = lab.ferry(sink, redis), lab.ferry_in(env)
    argv = [BIN / "flask", "keys", "create", "--owner", "a"]
    made = subprocess.run(argv, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=True)
    key = {"Authorization": f"Bearer {made.stdout.strip()}"}
    paths = [
        upload_form(server.port, "/normal_upload", lab.file(1000), key=headers).json()["links"]["self"]
        for server, headers in ((unguarded, {}), (guarded, key))
    ]
    found = by_turns(
        {
            "open": lambda: 1 / rate(unguarded, get_request(paths[0]), 4000),
            "guarded": lambda: 1 / rate(guarded, get_request(paths[1], key), 4000),
        },
        rounds,
    )
    against = ratio(found, "guarded", "open")
    micros = [median(found, name) * 1e6 for name in ("guarded", "open")]
    text = f"{micros[0]:.0f} µs against {micros[1]:.0f} µs, ratio {against}"
    return {"What knowing the caller costs": [Row("GET /files/<id>, time a request", text, against.median, 1.15)]}


def parser(lab: Lab, rounds: int) -> dict[str, list[Row]]:
    """The form parser alone: content that looks like line breaks and boundaries against random content."""
    size = 64 * MIB
    near = b"\r\n--boundarie"
    bodies = {
        "random": os.urandom(size),
        "line breaks only": b"\r\n" * (size // 2),
        "nothing but almost-boundaries": (near * (size // len(near) + 1))[:size],
    }
    found = by_turns({name: lambda body=body: _parse(body) for name, body in bodies.items()}, rounds)
    rows = []
    for name in found:
        against = ratio(found, name, "random")
        rows.append(Row(name, f"{size / median(found, name) / 1e9:.1f} GB/s, time ratio {against}", against.median))
    return {"The form parser alone, reads of 768 KiB": rows}


def _parse(body: bytes) -> float:
    form = b'--boundary\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + body
    whole = form + b"\r\n--boundary--\r\n"
    environ = EnvironBuilder(method="POST", path="/").get_environ() | {
        "wsgi.input": io.BytesIO(whole),
        "wsgi.input_terminated": True,
        "CONTENT_TYPE": "multipart/form-data; boundary=boundary",
        "CONTENT_LENGTH": str(len(whole)),
    }
    began = time.perf_counter()
    got = sum(len(chunk) for chunk in parse(Request(environ), 1 << 40).stream)
    seconds = time.perf_counter() - began
    assert got == len(body)
    return seconds
