"""Ceph's radosgw, an S3 server that this project did not write: one monitor, one manager, one OSD and the gateway."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from dev import parts
from dev.polling import wait_until
from dev.process import Process, free_port

_UP_SECONDS = 60
_OSD = "1b5a4f3e-2c1d-4e6f-8a9b-0c1d2e3f4a5b"
_FSID = "6f4d5f0e-6b8a-4c8e-9d4f-0d7f5a3b2c11"

# Without authentication the monitor can't offer the "secure" mode that radosgw asks for by default: it would wait for
# five minutes and end. The OSD's 40 GiB are a sparse file of some 300 MiB.
_CONF = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon},v1:127.0.0.1:{old_mon}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind port min = {first}
ms bind port max = {last}
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
run dir = {folder}/run
admin socket = {folder}/run/$name.asok
log file = {folder}/log/$name.log
mon data = {folder}/mon
mgr data = {folder}/mgr
osd data = {folder}/osd
osd objectstore = bluestore
bluestore block size = 42949672960
bluestore block create = true
osd memory target = 1073741824
mon data avail crit = 1
mon data avail warn = 2
mgr initial modules =
[client.rgw.a]
rgw data = {folder}/rgw
ms mon client mode = crc secure
"""


class Ceph:
    """One cluster below `folder`, for as long as `with` lasts. `radosgw` starts a gateway to it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._conf = folder, folder / "ceph.conf"
        self._running: list[Process] = []

    def __enter__(self) -> Ceph:
        try:
            self._prepare()
            self._start("ceph-mon", "a")
            self._start("ceph-mgr", "a")
            self._run("ceph", "osd", "create", _OSD)
            self._run("ceph", "osd", "crush", "add", "osd.0", "1.0", "host=only", "root=default")
            self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", _OSD)
            self._start("ceph-osd", "0")
            self._wait_for("1 up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        while self._running:
            self._running.pop().kill()

    def radosgw(self, data: Path, port: int) -> Process:
        """A gateway that listens on `port` and has the bucket `ferry`. Its log lies below `data`."""
        argv = ["radosgw", "-f", "-c", str(self._conf), "-n", "client.rgw.a"]
        log = data / "log" / "s3.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        process = Process("s3", [*argv, f"--rgw_frontends=beast endpoint=127.0.0.1:{port}"], log=log)
        process.wait_for(port, _UP_SECONDS)
        with suppress(subprocess.CalledProcessError):  # It exists already.
            self.user("ferry", parts.ACCESS_KEY, parts.SECRET_KEY)
        with client(port) as s3:
            s3.create_bucket(Bucket=parts.BUCKET)
        return process

    def user(self, name: str, access_key: str, secret_key: str) -> None:
        """Create a user with this key pair. Raises CalledProcessError if there is one."""
        keys = (f"--access-key={access_key}", f"--secret-key={secret_key}")
        self.admin("user", "create", f"--uid={name}", f"--display-name={name}", *keys)

    def admin(self, *arguments: str) -> str:
        """Run `radosgw-admin` and return what it prints."""
        return self._run("radosgw-admin", *arguments)

    def _prepare(self) -> None:
        for name in ("mon", "mgr", "osd", "rgw", "run", "log"):
            (self._folder / name).mkdir(parents=True)
        mon, first = free_port(2), free_port(60)
        self._conf.write_text(
            _CONF.format(fsid=_FSID, folder=self._folder, mon=mon, old_mon=mon + 1, first=first, last=first + 59)
        )
        monmap, address = str(self._folder / "monmap"), f"[v2:127.0.0.1:{mon},v1:127.0.0.1:{mon + 1}]"
        _call("monmaptool", "--create", "--clobber", "--fsid", _FSID, "--addv", "a", address, monmap)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap)

    def _start(self, daemon: str, id: str) -> None:
        log = self._folder / "log" / f"{daemon}.out"
        self._running.append(Process(daemon, [daemon, "-f", "-c", str(self._conf), "-i", id], log=log))

    def _wait_for(self, words: str) -> None:
        said = f"{words!r} reported by Ceph, see {self._folder / 'log'}"
        wait_until(lambda: words in self._run("ceph", "-s"), _UP_SECONDS, said, every=0.2)

    def _run(self, program: str, *arguments: str) -> str:
        return _call(program, "-c", str(self._conf), *arguments)


@contextmanager
def client(port: int, access_key: str = parts.ACCESS_KEY, secret_key: str = parts.SECRET_KEY) -> Iterator[Any]:
    """A boto3 client to the gateway on `port`."""
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, response_checksum_validation="when_required"),
    )
    try:
        yield s3
    finally:
        s3.close()


def _call(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=_UP_SECONDS).stdout
