"""A cluster for all engine tests, and a new world for each that asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.cluster import EngineCluster
from tests.engine.toolbox import pulumi_cli
from tests.engine.world import World


@pytest.fixture(scope="session")
def cli() -> Path:
    """The Pulumi CLI."""
    return pulumi_cli()


@pytest.fixture(scope="session")
def engine_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineCluster]:
    """The one API server of all worlds, which come one after the other."""
    cluster = EngineCluster(tmp_path_factory.mktemp("engine") / "local")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, engine_cluster: EngineCluster, cli: Path) -> Iterator[World]:
    """A world for the tests of one module, which follow one another."""
    yield World(tmp_path_factory.mktemp("world"), engine_cluster, cli)
    engine_cluster.sweep()
