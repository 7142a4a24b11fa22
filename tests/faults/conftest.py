"""What a fault test asks for: a world. It is mended and checked after the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.world import World
from tests.faults.worlds import Worlds


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    worlds = Worlds(tmp_path_factory)
    yield worlds
    worlds.end()


@pytest.fixture
def world(worlds: Worlds) -> Iterator[World]:
    """Ferry on SQLite. After the test: nothing lost, stuck, left over or there twice, and the next upload works."""
    world = worlds.take("sqlite")
    yield world
    worlds.give_back(world)


@pytest.fixture(params=["sqlite", "postgres"])
def either_world(request: pytest.FixtureRequest, worlds: Worlds) -> Iterator[World]:
    """Ferry on each database. After the test the same."""
    world = worlds.take(request.param)
    yield world
    worlds.give_back(world)


@pytest.fixture
def postgres_world(worlds: Worlds) -> Iterator[World]:
    """Ferry on PostgreSQL. After the test the same."""
    world = worlds.take("postgres")
    yield world
    worlds.give_back(world)
