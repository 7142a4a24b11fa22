"""Requests of programs that have no recipe: recorded headers of each program, and its own calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import requests

BODY = b"first\nsecond\n"

_FETCH = ("accept: */*", "accept-language: *", "sec-fetch-mode: cors", "user-agent: node")
_AXIOS = (
    "Accept: application/json, text/plain, */*",
    "Content-Type: application/x-www-form-urlencoded",
    "User-Agent: axios/1.21.1",
    "Accept-Encoding: gzip, compress, deflate, br",
)
_GO = ("User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip")
_CHUNKED = "Transfer-Encoding: chunked"
_POST, _PUT = "POST /{mode}_upload?name=notes.txt", "PUT /{mode}_upload/notes.txt"

HEADS = {
    "Node 20 fetch, Buffer": (_POST, *_FETCH),
    "Node 20 fetch, stream": (_POST, *_FETCH, _CHUNKED),
    "Node 20 http.request": (_POST,),
    "Node 20 http.request, piped": (_POST, _CHUNKED),
    "axios 1 in Node, Buffer": (_POST, *_AXIOS),
    "axios 1 in Node, stream": (_POST, *_AXIOS, _CHUNKED),
    "axios 1 in Node, PUT": (_PUT, *_AXIOS, _CHUNKED),
    "Go 1.19 NewRequest, file": (_POST, *_GO, _CHUNKED),
    "Go 1.19 NewRequest, PUT": (_PUT, *_GO),
    "wget 1.21 --post-file": (_POST, "User-Agent: Wget/1.21.3", "Content-Type: application/x-www-form-urlencoded"),
    "HTTPie 3 < file": (_POST, "User-Agent: HTTPie/3.2.4", "Content-Type: application/json"),
}
"""The first line and the relevant headers, by program. Each sends a length, or is chunked."""

CALLS: dict[str, Callable[[str], Any]] = {
    "requests data=bytes": lambda url: requests.post(f"{url}?name=notes.txt", data=BODY, timeout=10),
    "requests data=generator": lambda url: requests.post(f"{url}?name=notes.txt", data=iter([BODY]), timeout=10),
    "requests put": lambda url: requests.put(f"{url}/notes.txt", data=BODY, timeout=10),
    "requests json as a file": lambda url: requests.post(f"{url}?name=notes.txt", json={}, data=BODY, timeout=10),
    "httpx content=bytes": lambda url: httpx.post(f"{url}?name=notes.txt", content=BODY),
    "httpx content=generator": lambda url: httpx.post(f"{url}?name=notes.txt", content=iter([BODY])),
    "httpx put": lambda url: httpx.put(f"{url}/notes.txt", content=BODY),
}
"""One upload of `notes.txt` to the address of a mode."""

LINES = {
    "curl -X POST -T": "curl -X POST -T notes.txt '{url}/normal_upload?name=notes.txt'",
    "curl -X POST -T -": "curl -X POST -T - '{url}/normal_upload?name=notes.txt' < notes.txt",
    "curl -F 'file[]=@'": "curl -sS -F 'file[]=@notes.txt' {url}/normal_upload",
    "curl -F with fields before the file": (
        "curl -sS -F name=notes.txt -F expires_in=3600 -F 'file=@notes.txt;filename=other.txt' {url}/normal_upload"
    ),
    "curl -T - with --http1.0": "curl --http1.0 -T notes.txt {url}/normal_upload/",
    "curl with Content-Disposition": (
        "curl --data-binary @notes.txt -H 'Content-Disposition: attachment; filename=\"notes.txt\"' {url}/normal_upload"
    ),
    "curl with the type json": (
        "curl --data-binary @notes.txt -H 'Content-Type: application/json' '{url}/normal_upload?name=notes.txt'"
    ),
    "wget --post-file to a name": "wget -q -O - --post-file=notes.txt {url}/normal_upload/notes.txt",
    "HTTPie POST <": "http --check-status POST '{url}/normal_upload?name=notes.txt' < notes.txt",
}
"""A shell command that uploads `notes.txt`."""

REFUSED = {
    "curl -F with two files in one field": ("curl -sS -F file=@one.csv,two.csv {url}/normal_upload", 400),
    "curl -F with expires_in after the file": (
        "curl -sS -F file=@notes.txt -F expires_in=3600 {url}/normal_upload", 400,
    ),
    "curl with an unknown query parameter": ("curl -sS -T notes.txt '{url}/normal_upload/?expires=3600'", 400),
    "curl -F twice": ("curl -sS -F file=@one.csv -F file=@two.csv {url}/normal_upload", 400),
    "curl -T - without a name": ("curl -sS -T - {url}/normal_upload/ < notes.txt", 400),
    "wget --post-file without a name": (
        "wget -q -O - --content-on-error --post-file=notes.txt {url}/normal_upload || true", 400,
    ),
}  # fmt: skip
"""A shell command that sends an invalid request, and the status of the problem."""
