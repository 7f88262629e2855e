"""The two remote components of the Kubernetes provider that the program uses: a rendered chart, and a file of objects.

Both register what they find as children of their own. What is found here are CRDs, from the Go modules; the real ones
read the chart or the file from where it is.
"""

from typing import Any

import grpc  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2, resource_pb2, resource_pb2_grpc

from infra.plan import Manifest
from infra.versions import INFERENCE_EXTENSION_MANIFEST
from tests.engine.providers.changes import ProviderError
from tests.engine.providers.kube_releases import read_definitions
from tests.engine.providers.values import Properties, wire

CHART = "kubernetes:helm.sh/v4:Chart"
FILE = "kubernetes:yaml/v2:ConfigFile"
DEFINITION = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
# By the last part of the chart's name, or by the file's address: folders of the Go modules with what is in it.
_FOUND_IN = {
    "gateway-crds-helm": ("gateway-api", "envoy-gateway"),
    INFERENCE_EXTENSION_MANIFEST: ("inference-extension",),
}


def brought_by_files() -> list[Manifest]:
    """Every CRD that comes and goes with one of these components."""
    return [item for folders in _FOUND_IN.values() for folder in folders for item in read_definitions(folder)]


def construct(request: Any, inputs: Properties) -> Any:
    """Answer `Construct`: register the component and its children.

    Raises:
        ProviderError: for a chart or file that is not in the table.
    """
    found = _children(request.type, inputs)
    with grpc.insecure_channel(request.monitorEndpoint) as channel:
        monitor = resource_pb2_grpc.ResourceMonitorStub(channel)
        component = resource_pb2.RegisterResourceRequest(
            type=request.type,
            name=request.name,
            parent=request.parent,
            custom=False,
            object=request.inputs,
            dependencies=request.dependencies,
            providers=dict(request.providers),
            protect=request.protect,
            supportsPartialValues=True,
            aliasSpecs=True,
        )
        urn = monitor.RegisterResource(component).urn
        for item in found:
            monitor.RegisterResource(_child(request, item, urn))
        monitor.RegisterResourceOutputs(resource_pb2.RegisterResourceOutputsRequest(urn=urn))
    return provider_pb2.ConstructResponse(urn=urn)


def _children(type_token: str, inputs: Properties) -> list[Manifest]:
    address = str(inputs.get("chart", "")).rpartition("/")[2] if type_token == CHART else str(inputs.get("file", ""))
    if type_token not in (CHART, FILE) or address not in _FOUND_IN:
        raise ProviderError(f"the stand-in does not know what is in {type_token} {address}")
    return [item for folder in _FOUND_IN[address] for item in read_definitions(folder)]


def _child(request: Any, item: Manifest, parent: str) -> Any:
    return resource_pb2.RegisterResourceRequest(
        type=DEFINITION,
        name=f"{request.name}:{item.name}",
        parent=parent,
        custom=True,
        object=wire(item.body),
        provider=request.providers.get("kubernetes", ""),
        protect=request.protect,
        supportsPartialValues=True,
        aliasSpecs=True,
    )
