"""The invariants after every fault, checked in rows, bucket and spool.

No accepted file is lost or stuck, each has one object, no multipart uploads or spool files are left, every response is
well-formed, and the next upload works.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

import requests

from dev import parts
from dev.polling import eventually, wait_until
from tests.faults.client import MODES, Upload
from tests.faults.cluster import Cluster

ENDS = ("COMPLETE", "ERROR")
MARK = "ferry-owner"
"""The only object without a file: it marks the owner of the bucket."""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Findings:
    """Counts, and violations by name. All lists must be empty at the end."""

    accepted: int = 0
    complete: int = 0
    error: int = 0
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    orphan_objects: list[str] = field(default_factory=list)
    orphan_parts: list[str] = field(default_factory=list)
    spool_left: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)

    @property
    def summary(self) -> dict[str, int]:
        return {name: value if isinstance(value, int) else len(value) for name, value in vars(self).items()}

    @property
    def bad(self) -> dict[str, list[str]]:
        """The violations."""
        return {name: value for name, value in vars(self).items() if value and not isinstance(value, int)}


def check(cluster: Cluster, seconds: float = 60, *, probe: bool = True) -> dict[str, int]:
    """Wait up to `seconds` until all invariants hold, and assert them. Returns the counts."""
    findings = settle(cluster, seconds)

    assert findings.bad == {}, findings.bad
    assert cluster.client.malformed == [], cluster.client.malformed
    if probe:
        _probe(cluster)
    return findings.summary


def settle(cluster: Cluster, seconds: float) -> Findings:
    """The findings once all invariants hold, or after `seconds`."""
    with closing(cluster.s3()) as s3:
        findings = eventually(
            lambda: _look(cluster, s3), lambda found: found and not found.bad, seconds=seconds, every=0.1
        )
        assert findings is not None, "the service does not answer"
        if not findings.bad:
            _compare_bytes(cluster, s3, findings)
        return findings


def _look(cluster: Cluster, s3: Any) -> Findings | None:
    """The current findings; None if the service or the storage does not respond."""
    try:
        rows = {file["id"]: file for file in cluster.client.files()}
    except requests.RequestException:
        return None
    findings = Findings()
    objects = _objects(s3)
    findings.stuck = [f"{id} {row['mode']} {row['status']} {row['error']}" for id, row in rows.items() if _waits(row)]
    for upload in list(cluster.client.uploads):
        _judge(upload, rows, findings)
    complete = {id for id, row in rows.items() if row["status"] == "COMPLETE"}
    found = Counter(_id_in(key) for key in objects)
    findings.lost += [f"{id}: COMPLETE, but no object" for id in complete - set(found)]
    findings.orphan_objects = [key for key in objects if _id_in(key) not in complete and key != MARK]
    findings.double += [f"{id}: {times} objects" for id, times in found.items() if times > 1]
    findings.orphan_parts = _begun(s3)
    findings.spool_left = cluster.spooled()
    return findings


def _waits(row: dict[str, Any]) -> bool:
    return row["status"] not in ENDS


def _judge(upload: Upload, rows: dict[str, Any], findings: Findings) -> None:
    """Count one upload. An upload answered with 201 is stored and stays stored."""
    if not upload.accepted:
        return
    findings.accepted += 1
    row = rows.get(upload.id or "")
    if row is None:
        findings.lost.append(f"{upload.id}: no row")
    elif row["status"] == "COMPLETE":
        findings.complete += 1
        if row["sha256"] != upload.sha256:
            findings.lost.append(f"{upload.id}: the row has another digest")
    elif row["status"] == "ERROR":
        findings.error += 1
        if not row["error"] or upload.mode == "normal":
            findings.lost.append(f"{upload.id}: {upload.mode} ended as ERROR {row['error']}")


def _compare_bytes(cluster: Cluster, s3: Any, findings: Findings) -> None:
    """Read every object of an accepted file. An object with other bytes counts as lost."""
    keys = {_id_in(key): key for key in _objects(s3)}
    by_key: dict[str, set[str]] = {}
    for upload in cluster.client.uploads:
        if upload.accepted and upload.id in keys and _digest(s3, keys[upload.id]) != upload.sha256:
            findings.lost.append(f"{upload.id}: the object has other bytes")
        if upload.accepted and upload.key:
            by_key.setdefault(upload.key, set()).add(upload.id or "")
    findings.double += [f"key {key}: {sorted(ids)}" for key, ids in by_key.items() if len(ids) > 1]


def _objects(s3: Any) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=parts.BUCKET)
    return [item["Key"] for page in pages for item in page.get("Contents", ())]


def _begun(s3: Any) -> list[str]:
    # rclone answers NoSuchUpload if there are no uploads.
    with suppress(s3.exceptions.NoSuchUpload):
        return [item["Key"] for item in s3.list_multipart_uploads(Bucket=parts.BUCKET).get("Uploads", ())]
    return []


def _id_in(key: str) -> str:
    match = _ID.search(key)
    return match[0] if match else key


def _digest(s3: Any, key: str) -> str:
    digest = hashlib.sha256()
    for chunk in s3.get_object(Bucket=parts.BUCKET, Key=key)["Body"].iter_chunks(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _probe(cluster: Cluster) -> None:
    """The next upload of each mode succeeds soon."""
    uploads = [cluster.client.upload(mode, os.urandom(1000)) for mode in MODES]

    assert [upload.status for upload in uploads] == list(MODES.values())
    for upload in uploads:
        wait_until(functools.partial(_is_complete, cluster, upload), 10, upload.mode)


def _is_complete(cluster: Cluster, upload: Upload) -> bool:
    file = cluster.client.file(upload.id or "")
    return file is not None and file["status"] == "COMPLETE"
