"""A resource whose deletion runs `gpu-platform teardown ...`: what depends on it is gone by then, what it depends on
still lives."""

import shlex
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
from pulumi_command import local

from infra.conventions import KUBECONFIG_VARIABLE

# The project's own virtualenv comes first: the engine runs hooks in the project's folder.
_PATH = 'PATH="$PWD/.venv/bin:$PATH"'
_MISSING = "gpu-platform is not on the path: run `make setup` in the project, then the destroy again"


class ReachArgs(TypedDict):
    """How a hook reaches the cluster."""

    cluster_name: str
    """Name of the cluster, which everything it may touch carries in a tag."""
    kubeconfig: NotRequired[pulumi.Input[str]]
    """Its kubeconfig as text. Default: the kubeconfig of whoever runs the destroy."""
    context: NotRequired[str]
    """Context of that kubeconfig. Default: its current one."""
    region: NotRequired[str]
    """AWS region of the machines. Default: the nodes have no machines."""
    account_id: NotRequired[str]
    """AWS account; other credentials are refused. Goes with region."""


def delete_hook(
    name: str,
    step: Sequence[str],
    reach: ReachArgs,
    seconds: int,
    *,
    opts: pulumi.ResourceOptions,
    environment: Mapping[str, pulumi.Input[str]] | None = None,
) -> local.Command:
    """A hook that runs one step of `gpu-platform teardown` when it is deleted.

    Args:
        step: the sub-command and its own options.
        seconds: the longest the step takes; the engine waits a minute more.
        environment: further variables, for values that are known only once the cluster exists.
    """
    words = ["gpu-platform", "teardown", *step, f"--cluster={reach['cluster_name']}"]
    words += [f"--context={reach['context']}"] if "context" in reach else []
    if "region" in reach and step[0] != "guard":
        words += [f"--region={reach['region']}", f"--account={reach.get('account_id', '')}"]
    known = {KUBECONFIG_VARIABLE: reach["kubeconfig"]} if "kubeconfig" in reach else {}
    command = f"export {_PATH}; command -v gpu-platform >/dev/null || {{ echo {shlex.quote(_MISSING)} >&2; exit 1; }}"
    return local.Command(
        name,
        delete=f"{command}; exec {shlex.join(words)}",
        environment={**known, **(environment or {})},
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(delete=f"{seconds + 60}s"))
        ),
    )
