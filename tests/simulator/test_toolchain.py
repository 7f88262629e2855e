"""Pins, and what `ensure_tools` does when Go helps, fails or is not there."""

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from infra.errors import PlatformError
from infra.progress import SilentProgress
from infra.versions import SIMULATOR_MODULES, TEST_MODULES
from simulator import crds, toolchain
from simulator.folders import MODULES
from simulator.node_sources import KarpenterNodes, PlannedNodes
from simulator.toolchain import KARPENTER, TOOLS, cached, ensure_tools
from tests.engine.toolbox import PULUMI

PROGRESS = SilentProgress()
KUBECTL = next(tool for tool in TOOLS if tool.name == "kubectl")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty cache and an empty path; returns the folder that is the path."""
    path = tmp_path / "path"
    path.mkdir()
    monkeypatch.setenv("GPU_PLATFORM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(path))
    return path


def program(path: Path, name: str, script: str) -> None:
    file = path / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.mark.parametrize(("modules", "pins"), [(MODULES, SIMULATOR_MODULES), (PULUMI.modules, TEST_MODULES)])
def test_every_pin_stands_in_go_mod_and_go_sum(modules: Path, pins: dict[str, str]) -> None:
    pinned: dict[str, set[str]] = {}
    for folder in modules.iterdir():
        required = re.findall(r"^(?:require)?\s+(\S+) (v\S+)$", (folder / "go.mod").read_text(), re.MULTILINE)
        indirect = re.findall(r"^\s+(\S+) (v\S+) // indirect$", (folder / "go.mod").read_text(), re.MULTILINE)
        sums = (folder / "go.sum").read_text()
        for module, version in [*required, *indirect]:
            if module in pins and f"{module} {version} h1:" in sums:
                pinned.setdefault(module, set()).add(version)
    # A controller may be built with another version of a module than the one whose own controller runs: KServe 0.20.0
    # knows the kinds of LeaderWorkerSet 0.8.0.
    assert {module: version for module, version in pins.items() if version in pinned.get(module, ())} == pins


def test_every_tool_and_crd_source_is_of_a_pinned_module() -> None:
    for source in (*TOOLS, KARPENTER, *crds.SOURCES, crds.KARPENTER_SOURCE):
        assert source.module in SIMULATOR_MODULES
        assert (MODULES / source.folder / "go.mod").is_file()


def test_a_binary_of_the_pinned_version_on_the_path_is_used(machine: Path) -> None:
    program(machine, "kubectl", f"echo 'Client Version: {KUBECTL.version}'")
    assert ensure_tools(PROGRESS, [KUBECTL]) == {"kubectl": machine / "kubectl"}


def test_a_binary_of_another_version_is_not_used(machine: Path) -> None:
    program(machine, "kubectl", "echo 'Client Version: v1.32.4-dispatcher'")
    with pytest.raises(PlatformError, match="no `go` on the path"):
        ensure_tools(PROGRESS, [KUBECTL])


def test_a_missing_binary_is_built_once(machine: Path) -> None:
    # The arguments end with: -o FILE PACKAGE.
    program(machine, "go", 'while [ $# -gt 2 ]; do shift; done; echo built > "$1"; echo . >> "$0.calls"')
    first = ensure_tools(PROGRESS, [KUBECTL])
    second = ensure_tools(PROGRESS, [KUBECTL])

    assert first == second == {"kubectl": cached(KUBECTL)}
    assert first["kubectl"].read_text() == "built\n"
    assert (machine / "go.calls").read_text() == ".\n"


def test_the_place_of_a_binary_changes_with_what_it_is_made_of(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del machine
    before = cached(KUBECTL)
    monkeypatch.setitem(SIMULATOR_MODULES, KUBECTL.module, "v1.36.4")
    assert cached(KUBECTL) != before


def test_the_linker_sets_the_version_where_the_source_does_not_hold_it() -> None:
    flags = {tool.name: tool.flags[-1] for tool in (*TOOLS, PULUMI)}

    assert "version.gitVersion=v1.36.3 " in flags["kubectl"]
    assert flags["kubectl"].endswith("version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36")
    assert flags["pulumi"].endswith(f"version.Version={PULUMI.version}")
    assert flags["etcd"] == "-s -w"


def test_the_place_of_our_own_program_changes_with_its_source(machine: Path, tmp_path: Path) -> None:
    del machine
    copy = tmp_path / "modules"
    shutil.copytree(MODULES / KARPENTER.folder, copy / KARPENTER.folder)
    tool = dataclasses.replace(KARPENTER, modules=copy)
    before = cached(tool)
    assert before == cached(KARPENTER)

    with (copy / KARPENTER.folder / "main.go").open("a", encoding="utf-8") as file:
        file.write("// changed\n")

    assert cached(tool) != before


def test_karpenter_is_built_only_where_it_is_asked_for() -> None:
    assert KARPENTER not in TOOLS
    assert KARPENTER not in PlannedNodes.tools
    assert KARPENTER in KarpenterNodes.tools


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("go: go.mod requires go >= 1.26.0 (running go 1.22.1; GOTOOLCHAIN=local)", "install Go 1.26"),
        ("write /x/_pkg_.a: no space left on device", "free some disk space"),
        ("dial tcp: lookup proxy.example on 1.1.1.1: no such host", "check the network and GOPROXY"),
        ("verifying k8s.io/api@v0.36.3: checksum mismatch", "do not use it"),
        ("something new", "run the command again"),
    ],
)
def test_a_failed_build_shows_what_go_said_and_leaves_nothing(machine: Path, said: str, mend: str) -> None:
    program(machine, "go", f"echo '{said}' >&2; exit 1")

    with pytest.raises(PlatformError) as error:
        ensure_tools(PROGRESS, [KUBECTL])

    assert error.value.message.startswith(f"building kubectl {KUBECTL.version} failed")
    assert said in error.value.message
    assert mend in error.value.mend
    assert not cached(KUBECTL).exists()
    assert not list((cached(KUBECTL).parent.parent).iterdir())


def test_the_crds_come_from_the_module_and_a_warm_start_does_not_call_go(monkeypatch: pytest.MonkeyPatch) -> None:
    first = crds.custom_resource_definitions()
    monkeypatch.setattr(toolchain, "run_go", None)
    monkeypatch.setattr(crds, "run_go", None)

    assert crds.custom_resource_definitions() == first
    assert {"nodepools.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws"} <= {item.name for item in first}
    assert {item.urn for item in first} == {
        f"go:{source.module}@{SIMULATOR_MODULES[source.module]}" for source in crds.SOURCES
    }
