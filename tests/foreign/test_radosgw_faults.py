"""The faults of `tests/faults` on radosgw: the promises hold on another storage server."""

from __future__ import annotations

import inspect

import pytest

from tests.faults import chaos, test_process_faults, test_storage_faults
from tests.faults.cluster import Cluster

_FAULT_TESTS = {
    name: test
    for module in (test_storage_faults, test_process_faults)
    for name, test in vars(module).items()
    if name.startswith("test_") and "postgres_cluster" not in inspect.signature(test).parameters
}
# Collected here, these tests get the `cluster` of this folder.
globals().update(_FAULT_TESTS)

pytestmark = pytest.mark.foreign


def test_a_chaos_loses_nothing(cluster: Cluster) -> None:
    findings = chaos.run(cluster, seed=5, n=40)

    assert findings.bad == {}
    assert cluster.client.malformed == []
