"""Helm releases without Helm: the CRDs that a chart brings, and the record that Helm keeps in the cluster."""

import threading

from infra.errors import PlatformError
from infra.plan import Manifest
from simulator.apply import apply_definitions
from simulator.client import Client
from simulator.crds import SOURCES, custom_resource_definitions
from simulator.releases import SUBSTITUTES
from tests.engine.providers.changes import Change, ProviderError
from tests.engine.providers.kube_waits import wait_until, why_not_gone
from tests.engine.providers.values import Properties

RELEASE = "kubernetes:helm.sh/v3:Release"
# By chart: the Go module's folder with the CRDs among its templates, and with those in its folder `crds`, which Helm
# installs with the first release and never touches again.
_DEFINITIONS = {
    "karpenter-crd": "karpenter-aws",
    "kserve-crd": "kserve",
    "kserve-llmisvc-crd": "kserve",
    "ai-gateway-crds-helm": "ai-gateway",
    "external-secrets": "external-secrets",
    "knative-operator": "knative-operator",
}
_KEPT_DEFINITIONS = {"lws": "lws"}


class Releases:
    """The releases of one cluster."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def install(self, change: Change) -> tuple[str, Properties]:
        """Install or upgrade; the chart's controller does not run."""
        inputs = change.inputs
        chart = str(inputs["chart"]).rpartition("/")[2]
        if chart not in SUBSTITUTES:
            raise ProviderError(f"the chart {chart} is not in SUBSTITUTES of simulator/releases.py")
        apply_definitions(self._client, [*definitions_of(chart), *read_definitions(_KEPT_DEFINITIONS.get(chart))])
        self._client.apply(_record(inputs))
        identifier = f"{inputs['namespace']}/{inputs['name']}"
        return identifier, {**inputs, "status": {"name": inputs["name"], "status": "deployed", "chart": chart}}

    def is_installed(self, change: Change) -> bool:
        """Whether Helm would list it."""
        return self._client.exists(self._client.path_of(_record(change.state)))

    def uninstall(self, change: Change, cancelled: threading.Event) -> None:
        """Remove it. A chart whose templates are CRDs takes these along, and every object of them."""
        chart = str(change.state["chart"]).rpartition("/")[2]
        paths = [self._client.path_of(_record(change.state))]
        paths += [self._client.path_of(item.body) for item in definitions_of(chart)]
        for path in paths:
            self._client.delete(path, foreground=True)
        for path in paths:
            if not wait_until(lambda path=path: not why_not_gone(self._client, path), change.seconds, cancelled):  # type: ignore[misc]
                raise ProviderError(
                    f"uninstall of {change.name}: {path} is not gone: {why_not_gone(self._client, path)}"
                )


def brought_by_charts() -> list[Manifest]:
    """Every CRD that comes and goes with a release."""
    return [item for folder in dict.fromkeys(_DEFINITIONS.values()) for item in read_definitions(folder)]


def definitions_of(chart: str) -> list[Manifest]:
    """The CRDs among a chart's templates, which come and go with its release."""
    return read_definitions(_DEFINITIONS.get(chart))


def read_definitions(folder: str | None) -> list[Manifest]:
    """The CRDs in a folder of `simulator/modules`; none for no folder."""
    try:
        return custom_resource_definitions([source for source in SOURCES if source.folder == folder])
    except PlatformError as error:
        raise ProviderError(str(error)) from None


def _record(inputs: Properties) -> Properties:
    """What Helm remembers of a release, in the place where Helm keeps it."""
    name = f"sh.helm.release.v1.{inputs['name']}.v1"
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {"name": name, "namespace": inputs["namespace"], "labels": {"owner": "helm"}},
    }
