"""A cluster for all engine tests, and a new world for each module."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

import stacks.aws_foundation  # noqa: F401 - the SDK loads its modules lazily, which threads must not do at once
from infra.progress import SilentProgress
from simulator.controllers.lws import LEADER_WORKER_SETS
from simulator.environment import throwaway
from simulator.node_sources import PlannedNodes
from tests.engine.aws_api import aws_api
from tests.engine.cluster import EngineCluster
from tests.engine.toolbox import pulumi_cli
from tests.engine.world import Shared, World


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """The Pulumi CLI and what else no world changes."""
    with aws_api() as endpoint:
        yield Shared(pulumi_cli(), tmp_path_factory.mktemp("schemas"), endpoint)


@pytest.fixture(scope="session")
def engine_cluster() -> Iterator[EngineCluster]:
    """The one API server of all worlds, which come one after the other."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(PlannedNodes, "definitions", ())  # CRDs come with the program, or with the world of local
            # Its CRDs are there from the start then; they are of those that Helm never takes away again.
            environment = stack.enter_context(throwaway(SilentProgress(), controllers=[LEADER_WORKER_SETS]))
        yield EngineCluster(environment)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, engine_cluster: EngineCluster, shared: Shared) -> Iterator[World]:
    """A world for the tests of one module."""
    yield World(tmp_path_factory.mktemp("world"), engine_cluster, shared)
    engine_cluster.sweep()
