"""The External Secrets operator, and a store of AWS Secrets Manager that some namespaces may read."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release

from components.identity.documents import AwsPlace
from components.identity.pod_identity_role import PodIdentityRole
from components.specs import Spec
from components.tenancy.external_secrets_values import (
    NAMESPACE,
    SERVICE_ACCOUNT,
    STORE_API,
    crd_values,
    operator_values,
    read_policy,
    store_spec,
)


class SecretReadersArgs(TypedDict):
    """Who reads which secrets of AWS Secrets Manager."""

    store: str
    """Name of the ClusterSecretStore."""
    partition: str
    """AWS partition."""
    region: str
    """Region of the secrets."""
    account_id: str
    """Account of the secrets."""
    cluster_name: str
    """Cluster of the operator."""
    keys: list[str]
    """Names of the secrets that may be read."""
    namespaces: list[str]
    """Namespaces that may use the store."""


class ExternalSecretsArgs(TypedDict):
    """The operator and its store."""

    chart: str
    """Address of the chart."""
    version: str
    """Version of the chart."""
    readers: NotRequired[SecretReadersArgs]
    """A store in AWS Secrets Manager. Default: none; stores are somebody else's."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on role and policy."""


class ExternalSecrets(pulumi.ComponentResource):
    """Keeps Secrets in step with AWS Secrets Manager; depend on it with every ExternalSecret.

    With `readers` it also takes a role that may read the secrets named there, and no others.
    """

    def __init__(self, name: str, args: ExternalSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:ExternalSecrets", name, {}, opts)
        self._name, self._args = name, args
        space = Namespace(f"{name}-namespace", metadata=_namespace(), opts=pulumi.ResourceOptions(parent=self))
        needs: list[pulumi.Resource] = [self._release("crds", crd_values(), [space])]
        if "readers" in args:
            needs.append(self._identity(args["readers"]))
        operator = self._release("operator", operator_values(), needs)
        if "readers" in args:
            readers = args["readers"]
            CustomResource(
                f"{name}-store",
                api_version=STORE_API,
                kind="ClusterSecretStore",
                metadata={"name": readers["store"], "labels": {"app.kubernetes.io/part-of": "gpu-platform"}},
                spec=store_spec(readers["region"], readers["namespaces"]),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[operator]),
            )
        self.register_outputs({})

    def _release(self, suffix: str, values: Spec, needs: list[pulumi.Resource]) -> Release:
        return Release(
            f"{self._name}-{suffix}",
            name="external-secrets" if suffix == "operator" else f"external-secrets-{suffix}",
            chart=self._args["chart"],
            version=self._args["version"],
            namespace=NAMESPACE,
            values=values,
            atomic=True,
            timeout=600,
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )

    def _identity(self, readers: SecretReadersArgs) -> PodIdentityRole:
        place = AwsPlace(readers["partition"], readers["region"], readers["account_id"], readers["cluster_name"])
        return PodIdentityRole(
            f"{self._name}-identity",
            {
                "partition": place.partition,
                "region": place.region,
                "account_id": place.account,
                "cluster_name": place.cluster,
                "namespace": NAMESPACE,
                "service_account": SERVICE_ACCOUNT,
                "policies": {"read": read_policy(place, readers["keys"])},
                "tags": self._args.get("tags", {}),
            },
            pulumi.ResourceOptions(parent=self),
        )


def _namespace() -> Spec:
    labels = {"app.kubernetes.io/part-of": "gpu-platform", "pod-security.kubernetes.io/enforce": "restricted"}
    return {"name": NAMESPACE, "labels": labels}
