"""A world: one project folder, one state backend and one cluster, in which the real engine runs the program."""

import asyncio
import os
import runpy
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi_aws
import pulumi_command
import pulumi_eks
import pulumi_kubernetes
import yaml
from pulumi.automation import LocalWorkspace, OpType, PulumiCommand, Stack
from pulumi.automation.errors import CommandError

from infra.plan import kubernetes_manifests
from infra.settings import StackFile, load_stack_file
from infra.settings.loading import PLATFORM_KEY
from simulator.client import wait_for
from stacks.evaluation import evaluate
from tests.conftest import ROOT
from tests.engine.cluster import EngineCluster
from tests.engine.providers.aws_schema import VARIABLE as SCHEMAS
from tests.engine.providers.kube_waits import PATIENCE
from tests.engine.providers.outside import VARIABLE, Outside

PROVIDERS = {
    "aws": pulumi_aws,
    "command": pulumi_command,
    "eks": pulumi_eks,
    "kubernetes": pulumi_kubernetes,
}
SKIP_CHECKPOINTS = "PULUMI_SKIP_CHECKPOINTS"
_PATIENCE_SECONDS = 120.0  # nothing here takes a minute; the program's own time-outs are hours
_LOOP_SECONDS = 20.0  # a program ends within a second after its engine
_STAND_IN = Path(__file__).parent / "plugins" / "pulumi-resource-stand-in"


def main_program() -> None:
    """The project's own `__main__`, as the engine's language host runs it."""
    runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")


@dataclass(frozen=True, slots=True)
class Shared:
    """What all worlds of a test run share.

    Attributes:
        cli: the Pulumi CLI.
        schemas: folder of what was read from the SDK.
        aws_endpoint: where the delete hooks find AWS.
    """

    cli: Path
    schemas: Path
    aws_endpoint: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one operation did.

    Attributes:
        changes: resources by what happened to them: create, update, delete, replace, same.
        said: everything the user reads.
        outputs: of the stack, after it.
    """

    changes: dict[str, int]
    said: str
    outputs: dict[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> dict[str, int]:
        """What did not stay the same. A reference to another stack is read and discarded, and changes nothing."""
        return {key: count for key, count in self.changes.items() if key not in ("same", "read", "discard") and count}


class World:
    """Everything around one or more stacks, below one folder."""

    def __init__(self, folder: Path, cluster: EngineCluster, shared: Shared) -> None:
        self.folder, self.cluster, self._shared = folder, cluster, shared
        self.project = folder / "project"
        self.outside = Outside(folder / "outside")
        for made in (self.project, self.outside.folder, folder / "backend", folder / "home", folder / "bin"):
            made.mkdir(parents=True)
        for name, sdk in PROVIDERS.items():
            plugin = folder / "home" / "plugins" / f"resource-{name}-v{_version(sdk)}"
            plugin.mkdir(parents=True)
            (plugin / f"pulumi-resource-{name}").symlink_to(_STAND_IN)
        (folder / "bin" / "pulumi").symlink_to(shared.cli)
        # Where the CLI would keep a log of every property it handles, by no switch: half the time of an update.
        (folder / "home" / "logs").touch()
        self.outside.kubeconfig.write_text(cluster.kubeconfig, encoding="utf-8")
        for file in ROOT.glob("Pulumi*.yaml"):
            shutil.copy(file, self.project)
        self.environment = self._environment()

    def _environment(self) -> dict[str, str]:
        return {
            VARIABLE: str(self.outside.folder),
            PATIENCE: str(_PATIENCE_SECONDS),
            SCHEMAS: str(self._shared.schemas),
            "AWS_ENDPOINT_URL": self._shared.aws_endpoint,
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_EC2_METADATA_DISABLED": "true",
            "ENGINE_TESTS_PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{Path(sys.executable).parent}:{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "KUBECONFIG": str(self.outside.kubeconfig),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": "engine-tests",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # The state is written once, at the end of an operation: half the time of an update.
            SKIP_CHECKPOINTS: "true",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        }

    def settings(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Edit `gpu-platform:platform` in the world's copy of `Pulumi.<name>.yaml`."""
        path = self.project / f"Pulumi.{name}.yaml"
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(document["config"][PLATFORM_KEY])
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    @contextmanager
    def impatient(self, seconds: float) -> Iterator[None]:
        """Let the Kubernetes provider wait no longer than this for anything, for as long as the block lasts."""
        self.environment[PATIENCE] = str(seconds)
        try:
            yield
        finally:
            self.environment[PATIENCE] = str(_PATIENCE_SECONDS)

    def stack_file(self, name: str) -> StackFile:
        """The settings of a stack as they are in this world."""
        return load_stack_file(self.project / f"Pulumi.{name}.yaml")

    def pulumi(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The CLI beside the Automation API: somebody else at work on the same stacks."""
        environment = {**os.environ, **self.environment, "PULUMI_HOME": str(self.folder / "home")}
        command = [str(self.folder / "bin" / "pulumi"), "--non-interactive", *arguments]
        return subprocess.Popen(command, cwd=self.project, env=environment, stdout=subprocess.DEVNULL)

    def add_nodes(self, name: str, spares: bool = True) -> None:
        """Nodes for all pods of an environment; without spares for no pod more."""
        self.cluster.add_nodes(kubernetes_manifests(evaluate(self.stack_file(name), "stand-in")), spares)

    def left(self, name: str) -> list[str]:
        """What a destroy of a whole environment left behind, without what the program retains on purpose."""
        plan = evaluate(self.stack_file(name))
        kept = {resource.type_token for resource in plan if resource.options.retain_on_delete}
        in_aws = [f"{row.type_token} {row.key}" for row in self.outside.rows() if row.type_token not in kept]
        return [*in_aws, *self.cluster.left()]

    def stack(self, name: str, program: Callable[[], None] = main_program) -> "EngineStack":
        """A stack of this world, made in the backend when it is not there."""
        return EngineStack(self, name, program)


class EngineStack:
    """One stack, driven through the Automation API."""

    def __init__(self, world: World, name: str, program: Callable[[], None]) -> None:
        self._world, self.name, self._program = world, name, program
        self._loop: asyncio.AbstractEventLoop | None = None
        aws = world.stack_file(name).settings.aws
        self._account = aws.account_id if aws else "none"
        workspace = LocalWorkspace(
            work_dir=str(world.project),
            pulumi_home=str(world.folder / "home"),
            program=self._run,
            env_vars=self._environment(),
            pulumi_command=PulumiCommand(root=str(world.folder)),
        )
        self.automation = Stack.create_or_select(name, workspace)

    def _environment(self) -> dict[str, str]:
        """The world's, with credentials for the account of the stack's settings (`aws_api`)."""
        return {**self._world.environment, "AWS_ACCESS_KEY_ID": self._account}

    def failure(self, operation: str) -> str:
        """What the user reads when an operation fails.

        Raises:
            AssertionError: when it does not fail.
        """
        try:
            getattr(self, operation)()
        except CommandError as error:
            return str(error)
        raise AssertionError(f"{operation} of {self.name} did not fail")

    def preview(self) -> Outcome:
        """What an update would do."""
        with self._inside():
            result = self.automation.preview(color="never")
        return Outcome(_names(result.change_summary), result.stdout + result.stderr)

    def up(self) -> Outcome:
        """Update the stack."""
        with self._inside():
            result = self.automation.up(color="never")
        outputs = {key: output.value for key, output in result.outputs.items()}
        return Outcome(_names(result.summary.resource_changes or {}), result.stdout + result.stderr, outputs)

    def refresh(self) -> Outcome:
        """Bring the state to what really is there."""
        with self._inside():
            result = self.automation.refresh(color="never")
        return Outcome(_names(result.summary.resource_changes or {}), result.stdout + result.stderr)

    def destroy(self) -> Outcome:
        """Delete everything the stack holds."""
        with self._inside():
            result = self.automation.destroy(color="never")
        return Outcome(_names(result.summary.resource_changes or {}), result.stdout + result.stderr)

    def resources(self) -> list[dict[str, Any]]:
        """The stack's resources, as its state holds them."""
        return list((self.automation.export_stack().deployment or {}).get("resources") or [])

    def types(self) -> Counter[str]:
        """How many resources of each type the state holds."""
        return Counter(item["type"] for item in self.resources())

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """The language host runs a program in its project's folder, and so does this."""
        self.automation.workspace.env_vars = self._environment()
        before = Path.cwd()
        os.chdir(self._world.project)
        try:
            yield
        finally:
            os.chdir(before)
            if self._loop:
                _close(self._loop)
                self._loop = None

    def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._program()


def _names(changes: Any) -> dict[str, int]:  # the API gives plain names in one place and its own enum in another
    return {key.value if isinstance(key, OpType) else str(key): count for key, count in changes.items()}


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Let go of what a program left: the SDK does not when the engine ends first, after a failure."""
    assert wait_for(lambda: not loop.is_running(), _LOOP_SECONDS)
    if loop.is_closed():
        return
    loop.set_exception_handler(lambda *_: None)  # echoes of the failure that the engine has reported
    loop.run_until_complete(_cancel(asyncio.all_tasks(loop)))
    loop.close()


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _version(sdk: Any) -> str:
    """The version of the plugin that an SDK asks for."""
    return str(sdk._utilities.get_version())
