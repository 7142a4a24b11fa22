"""Third-party servers, each started once for all tests that need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

from dev import parts
from dev.polling import wait_until
from dev.process import Process, free_port
from tests.faults import checker, inspection
from tests.faults.cluster import Cluster
from tests.faults.cluster_pool import repair
from tests.foreign.ceph import Ceph, client
from tests.foreign.packages import require

_SETTLE_SECONDS = 30


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ceph]:
    """A Ceph cluster without a gateway."""
    require("radosgw")
    with Ceph(tmp_path_factory.mktemp("ceph")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def gateway(ceph: Ceph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a gateway with an empty bucket."""
    port = free_port()
    process: Process = ceph.radosgw(tmp_path_factory.mktemp("radosgw"), port)
    _empty(port)
    yield port
    process.kill()


@pytest.fixture(scope="module")
def running_cluster(ceph: Ceph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """All of Ferry as processes, with radosgw behind the fault proxy. The gateway may be killed and frozen."""

    def gateway(data: object, port: int) -> Process:
        return ceph.radosgw(folder, port)

    folder = tmp_path_factory.mktemp("radosgw-cluster")
    port = free_port()
    process = ceph.radosgw(folder, port)
    _empty(port)
    process.kill()
    with Cluster(folder, s3=gateway, settings={"MAX_ATTEMPTS": "5"}) as cluster:
        # The first sweep marks the bucket: from then on, all that is sent are files.
        wait_until(lambda: inspection.objects(cluster, checker.MARK))
        yield cluster


@pytest.fixture
def cluster(running_cluster: Cluster) -> Iterator[Cluster]:
    """After the test: no file is lost, stuck, orphaned or duplicated, and the next upload works."""
    running_cluster.client.uploads.clear()
    running_cluster.client.malformed.clear()
    yield running_cluster
    repair(running_cluster)
    checker.check(running_cluster, _SETTLE_SECONDS)


def _empty(port: int) -> None:
    """Remove the objects, versions and uploads of the bucket: an earlier module may have left some."""
    with client(port) as s3:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=parts.BUCKET):
            for item in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                s3.delete_object(Bucket=parts.BUCKET, Key=item["Key"], VersionId=item["VersionId"])
        with suppress(s3.exceptions.NoSuchUpload):
            for item in s3.list_multipart_uploads(Bucket=parts.BUCKET).get("Uploads", ()):
                s3.abort_multipart_upload(Bucket=parts.BUCKET, Key=item["Key"], UploadId=item["UploadId"])
