"""The controllers behind the gateway, and the kinds of object that they know."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release
from pulumi_kubernetes.helm.v4 import Chart
from pulumi_kubernetes.yaml.v2 import ConfigFile

from components.serving.gateway.values import ai_gateway_values, crd_values, envoy_gateway_values, namespace_spec
from components.specs import Spec


class GatewayChartsArgs(TypedDict):
    """Charts and versions of the controllers."""

    envoy_gateway: str
    """Address of the chart gateway-helm."""
    envoy_gateway_crds: str
    """Address of the chart gateway-crds-helm."""
    envoy_gateway_version: str
    """Version of both, such as v1.8.2."""
    ai_gateway: str
    """Address of the chart ai-gateway-helm."""
    ai_gateway_crds: str
    """Address of the chart ai-gateway-crds-helm."""
    ai_gateway_version: str
    """Version of both, such as v1.0.0."""
    inference_manifest: NotRequired[str]
    """URL of the inference extension's CRDs, which has no chart. Default: none, because KServe brings them."""


class GatewayOperatorsArgs(TypedDict):
    """Where the controllers are, and what they are."""

    namespace: str
    """Namespace of controllers and proxies."""
    charts: NotRequired[GatewayChartsArgs]
    """Charts. Default: none, only the namespace; no machine is there that could run them."""
    protect: NotRequired[bool]
    """Whether the kinds are protected, as the data is. Default: False."""
    rate_limit_store: NotRequired[str]
    """host:port of a Redis or Valkey that counts for all proxies. Default: none."""


class GatewayOperators(pulumi.ComponentResource):
    """Envoy Gateway and Envoy AI Gateway, after their CRDs and those of Gateway API and its inference extension.

    gateway-crds-helm is rendered and not installed as a release: with 2 MB of CRDs in its templates the record that
    Helm keeps of a release would pass the 1 MiB of a Secret (the chart's README says the same).
    """

    namespace: pulumi.Output[str]
    """Namespace of controllers and proxies."""

    def __init__(self, name: str, args: GatewayOperatorsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:GatewayOperators", name, {}, opts)
        self._name = name
        home = Namespace(
            f"{name}-namespace", metadata=namespace_spec(args["namespace"]), opts=pulumi.ResourceOptions(parent=self)
        )
        if "charts" in args:
            self._protect_kinds = args.get("protect", False)
            self._controllers(args["charts"], args.get("rate_limit_store", ""), home, args["namespace"])
        self.namespace = home.metadata["name"]
        self.register_outputs({"namespace": self.namespace})

    def _controllers(self, charts: GatewayChartsArgs, store: str, home: Namespace, namespace: str) -> None:
        """Both controllers after their kinds, and the one that is asked before the one that asks."""
        kinds = self._kinds(charts, home, namespace)
        version = charts["ai_gateway_version"]
        extension = self._release(
            "ai-gateway", (charts["ai_gateway"], version), namespace, ai_gateway_values(namespace), [home, *kinds]
        )
        self._release(
            "envoy-gateway",
            (charts["envoy_gateway"], charts["envoy_gateway_version"]),
            namespace,
            envoy_gateway_values(namespace, store),
            [extension],
        )

    def _kinds(self, charts: GatewayChartsArgs, home: Namespace, namespace: str) -> list[pulumi.Resource]:
        """CRDs, each set apart from the controllers so that it is upgraded with the pin and goes last."""
        # Nothing depends by name on what a remote component finds: a destroy that is to be refused, and whose preview
        # was left out, would begin with these CRDs and take every gateway and route along.
        inside = pulumi.ResourceOptions(parent=self, protect=self._protect_kinds)
        made: list[pulumi.Resource] = [
            Chart(
                f"{self._name}-crds",
                chart=charts["envoy_gateway_crds"],
                version=charts["envoy_gateway_version"],
                namespace=namespace,
                values=crd_values(),
                opts=inside,
            ),
            self._release(
                "ai-gateway-crds", (charts["ai_gateway_crds"], charts["ai_gateway_version"]), namespace, {}, [home]
            ),
        ]
        if "inference_manifest" in charts:
            made.append(ConfigFile(f"{self._name}-inference-crds", file=charts["inference_manifest"], opts=inside))
        return made

    def _release(
        self, suffix: str, chart: tuple[str, str], namespace: str, values: Spec, needs: list[pulumi.Resource]
    ) -> Release:
        return Release(
            f"{self._name}-{suffix}",
            name=suffix,
            chart=chart[0],
            version=chart[1],
            namespace=namespace,
            values=values,
            atomic=True,
            timeout=600,
            skip_crds=True,  # gateway-helm has a copy of the CRDs, of the experimental channel
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )
