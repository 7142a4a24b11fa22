"""Clusters for fault tests, repaired and checked after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.cluster import Cluster
from tests.faults.cluster_pool import ClusterPool


@pytest.fixture(scope="session")
def cluster_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterPool]:
    cluster_pool = ClusterPool(tmp_path_factory)
    yield cluster_pool
    cluster_pool.end()


@pytest.fixture
def cluster(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """Ferry on SQLite. After the test: no file is lost, stuck, orphaned or duplicated, and the next upload works."""
    cluster = cluster_pool.take("sqlite")
    yield cluster
    cluster_pool.release(cluster)


@pytest.fixture(params=["sqlite", "postgres"])
def any_cluster(request: pytest.FixtureRequest, cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """Ferry on each database, with the same checks."""
    cluster = cluster_pool.take(request.param)
    yield cluster
    cluster_pool.release(cluster)


@pytest.fixture
def postgres_cluster(cluster_pool: ClusterPool) -> Iterator[Cluster]:
    """Ferry on PostgreSQL, with the same checks."""
    cluster = cluster_pool.take("postgres")
    yield cluster
    cluster_pool.release(cluster)
