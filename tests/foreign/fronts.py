"""nginx and HAProxy in front of Ferry, configured as in docs/running.md except ports, time-outs and paths."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from dev import parts
from dev.process import Process
from tests.foreign.packages import require
from tests.tls import Certificate

NGINX_IDLE, HAPROXY_PURGE, FERRY_IDLE = 2.4, 0.2, 3
"""Seconds in place of nginx's 60, HAProxy's 5 and Ferry's 75: a 25th of what docs/running.md says."""
NGINX_CLIENT_IDLE, HAPROXY_CLIENT_IDLE = 3, 2.4
"""Seconds that a client's idle connection stays open, in place of nginx's 75 (its default) and HAProxy's 60."""

_NGINX = """
{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
access_log off;
keepalive_timeout {client_idle}ms;
client_body_temp_path {folder}/body;
proxy_temp_path {folder}/proxy;
fastcgi_temp_path {folder}/fastcgi;
uwsgi_temp_path {folder}/uwsgi;
scgi_temp_path {folder}/scgi;
{printed}
}}
"""


def printed(starts_with: str) -> str:
    """The block of docs/running.md that starts with this text."""
    [block] = re.findall(rf"```\n({starts_with}.+?)```", (parts.ROOT / "docs/running.md").read_text(), re.DOTALL)
    return str(block)


def nginx(folder: Path, port: int, ferry: int, own: Certificate, *, prefix: bool = False) -> Process:
    """Start it at 127.0.0.1:`port`, in front of the Ferry at the port `ferry`. `prefix`: under /ferry."""
    require("nginx")
    folder.mkdir()
    changes = {
        "listen 443": f"listen 127.0.0.1:{port}",
        "127.0.0.1:5000": f"127.0.0.1:{ferry}",
        "keepalive_timeout 60s": f"keepalive_timeout {NGINX_IDLE * 1000:.0f}ms",
        "/etc/nginx/ferry.pem": str(own.cert),
        "/etc/nginx/ferry.key": str(own.key),
    }
    if prefix:
        location, to, header = printed("    location /ferry/").rstrip("\n").split("\n")
        changes |= {
            "    location / {": location,
            "        proxy_pass http://ferry;": to,
            '        proxy_set_header X-Forwarded-Prefix "";': header,
        }
    user = "user root;\n" if os.geteuid() == 0 else ""
    conf = folder / "nginx.conf"
    block, client_idle = _changed(printed("upstream ferry"), changes), f"{NGINX_CLIENT_IDLE * 1000:.0f}"
    conf.write_text(_NGINX.format(user=user, folder=folder, printed=block, client_idle=client_idle))
    argv = [require("nginx"), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(conf)]
    return Process("nginx", argv, log=folder / "nginx.log")


def haproxy(
    folder: Path, port: int, ferry: int, own: Certificate, *, prefix: bool = False, ipv6: bool = False
) -> Process:
    """Start it at 127.0.0.1:`port`, in front of the Ferry at the port `ferry`. `prefix`: under /ferry.

    `ipv6`: at [::1] as well, and in front of a Ferry at [::1].
    """
    require("haproxy")
    folder.mkdir()
    pem = folder / "both.pem"
    pem.write_text(own.cert.read_text() + own.key.read_text())
    changes = {
        "bind :::443 v4v6": f"bind 127.0.0.1:{port}{f',::1:{port}' if ipv6 else ''}",
        "127.0.0.1:5000": f"{'[::1]' if ipv6 else '127.0.0.1'}:{ferry}",
        "timeout http-keep-alive 60s": f"timeout http-keep-alive {HAPROXY_CLIENT_IDLE * 1000:.0f}ms",
        "pool-purge-delay 5s": f"pool-purge-delay {HAPROXY_PURGE * 1000:.0f}ms",
        "/etc/haproxy/ferry.pem": str(pem),
    }
    if prefix:
        changes["    http-request del-header X-Forwarded-Prefix\n"] = printed(
            "    http-request set-header X-Forwarded-Prefix"
        )
    conf = folder / "haproxy.cfg"
    conf.write_text(_changed(printed("defaults"), changes))
    argv = [require("haproxy"), "-db", "-f", str(conf)]
    return Process("haproxy", argv, log=folder / "haproxy.log")


def _changed(block: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert block.count(old) == 1, old
        block = block.replace(old, new)
    return block
