"""The package as Pulumi starts it: a folder, a process, a schema over gRPC."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc  # type: ignore[import-untyped]  # ships no types
import pytest
import yaml
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from components.package import provider

NO_ENGINE = "127.0.0.1:1"
SECONDS = 30


@pytest.fixture
def port(root: Path, tmp_path: Path) -> Iterator[int]:
    """The port of the package, started from another folder, as the engine starts it."""
    command = [sys.executable, "-u", str(root / "components"), NO_ENGINE]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.terminate()


def test_the_process_serves_the_schema(port: int) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        served = stub.GetSchema(provider_pb2.GetSchemaRequest(version=0), timeout=SECONDS).schema

    assert json.loads(served) == json.loads(provider().schema or "")


def test_the_plugin_installs_into_a_virtualenv_of_its_own(root: Path) -> None:
    """Pulumi upgrades pip in it, and the project's own is made by `make setup`."""
    runtime = yaml.safe_load((root / "components" / "PulumiPlugin.yaml").read_text())["runtime"]

    own = (root / "components" / runtime["options"]["virtualenv"]).resolve()
    assert runtime["name"] == "python"
    assert own != root / ".venv"
    assert own.is_relative_to(root / "components")
