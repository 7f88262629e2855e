"""The stand-in for the EKS provider: one remote component, made of the same children as the real one.

What the real `eks.Cluster` registers, without its defaults, was seen with pulumi-eks 4.4: a ServiceRole component with
a role and an attachment, the cluster, a Kubernetes provider, and for each access entry the entry and its policies. Its
children are registered with the engine like any program's, so the program's transforms reach them.
"""

import json
from importlib import metadata
from typing import Any

import grpc  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2, resource_pb2, resource_pb2_grpc

from tests.engine.providers.changes import Change, ProviderError
from tests.engine.providers.outside import Outside
from tests.engine.providers.serving import StandIn, serve
from tests.engine.providers.values import UNKNOWN, Properties, plain, wire

_CLUSTER = "eks:index:Cluster"
_POLICY = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"


class EksProvider(StandIn):
    """Answers `Construct`; it has no resources of its own."""

    accepts_secrets = True

    def Construct(self, request: Any, context: Any) -> Any:  # noqa: N802
        change = Change(request.type, request.parent, request.name, plain(request.inputs), preview=True)
        return self._answered(context, lambda _: self._constructed(request, change.inputs), change)

    def _constructed(self, request: Any, inputs: Properties) -> Any:
        if request.type != _CLUSTER:
            raise ProviderError(f"the stand-in does not know {request.type}")
        with grpc.insecure_channel(request.monitorEndpoint) as channel:
            monitor = resource_pb2_grpc.ResourceMonitorStub(channel)
            urn, state, origin = _Cluster(request, inputs, monitor, self.outside).build()
            depends = {key: provider_pb2.ConstructResponse.PropertyDependencies(urns=[origin]) for key in state}
            return provider_pb2.ConstructResponse(urn=urn, state=wire(state), stateDependencies=depends)


class _Cluster:
    """One `eks.Cluster`, registered child by child."""

    def __init__(self, request: Any, inputs: Properties, monitor: Any, outside: Outside) -> None:
        self._request, self._inputs, self._monitor, self._outside = request, inputs, monitor, outside
        self._name = request.name
        self._urn = ""

    def build(self) -> tuple[str, Properties, str]:
        """Returns the component's URN, its outputs, and the URN of the cluster they come from."""
        request = self._request
        self._urn = self._register(
            _CLUSTER, self._name, request.parent, self._inputs, custom=False, dependencies=list(request.dependencies)
        ).urn
        cluster = self._cluster(self._service_role())
        outputs = plain(cluster.object)
        kubeconfig = self._kubeconfig(outputs)
        version = metadata.version("pulumi-kubernetes")
        self._register(
            "pulumi:providers:kubernetes",
            f"{self._name}-provider",
            self._urn,
            {"kubeconfig": kubeconfig},
            version=version,
        )
        for key, entry in sorted((self._inputs.get("accessEntries") or {}).items()):
            self._access(key, entry, cluster.urn)
        group = outputs.get("vpcConfig", {}).get("clusterSecurityGroupId", UNKNOWN)
        state = {"kubeconfigJson": kubeconfig, "kubeconfig": kubeconfig, "clusterSecurityGroupId": group}
        self._monitor.RegisterResourceOutputs(
            resource_pb2.RegisterResourceOutputsRequest(urn=self._urn, outputs=wire(state))
        )
        return self._urn, state, cluster.urn

    def _service_role(self) -> tuple[str, list[str]]:
        """ARN of the cluster's role, and what must be there before it can be used."""
        component = f"{self._name}-eksRole"
        parent = self._register("eks:index:ServiceRole", component, self._urn, custom=False).urn
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}}
            ],
        }
        role = self._register("aws:iam/role:Role", f"{component}-role", parent, {"assumeRolePolicy": json.dumps(trust)})
        attachment = self._register(
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            f"{component}-4b490823",
            parent,
            {"role": role.id or UNKNOWN, "policyArn": _POLICY},
            dependencies=[role.urn],
        )
        return plain(role.object).get("arn", UNKNOWN), [role.urn, attachment.urn]

    def _cluster(self, role: tuple[str, list[str]]) -> Any:
        given = self._inputs
        wanted = {
            "name": given.get("name"),
            "roleArn": role[0],
            "version": given.get("version"),
            "vpcConfig": {
                "subnetIds": given.get("privateSubnetIds", UNKNOWN),
                "endpointPrivateAccess": given.get("endpointPrivateAccess"),
                "endpointPublicAccess": given.get("endpointPublicAccess"),
                "publicAccessCidrs": given.get("publicAccessCidrs"),
            },
            # The real one always makes its creator an administrator; the program's transform takes that back.
            "accessConfig": {
                "authenticationMode": given.get("authenticationMode"),
                "bootstrapClusterCreatorAdminPermissions": True,
            },
            "encryptionConfig": {
                "provider": {"keyArn": given.get("encryptionConfigKeyArn")},
                "resources": ["secrets"],
            },
            "kubernetesNetworkConfig": {"serviceIpv4Cidr": given.get("kubernetesServiceIpAddressRange")},
            "enabledClusterLogTypes": given.get("enabledClusterLogTypes"),
            "deletionProtection": given.get("deletionProtection"),
            "upgradePolicy": given.get("upgradePolicy"),
            "bootstrapSelfManagedAddons": given.get("bootstrapSelfManagedAddons"),
            "tags": given.get("tags"),
        }
        depends = [*role[1], *(urn for item in self._request.inputDependencies.values() for urn in item.urns)]
        return self._register(
            "aws:eks/cluster:Cluster",
            f"{self._name}-eksCluster",
            self._urn,
            _without_none(wanted),
            dependencies=depends,
        )

    def _access(self, key: str, entry: Properties, cluster: str) -> None:
        about = {"clusterName": self._inputs["name"], "principalArn": entry["principalArn"]}
        made = self._register(
            "aws:eks/accessEntry:AccessEntry",
            f"{self._name}-{key}",
            self._urn,
            {**about, "type": entry.get("type", "STANDARD"), "tags": self._inputs.get("tags") or {}},
            dependencies=[cluster],
        )
        for short, policy in sorted((entry.get("accessPolicies") or {}).items()):
            self._register(
                "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
                f"{self._name}-{key}-{short}",
                self._urn,
                {**about, **policy},
                dependencies=[cluster, made.urn],
            )

    def _kubeconfig(self, cluster: Properties) -> str:
        """For the embedded API server: its address from the cluster, its token in place of `aws eks get-token`."""
        if "endpoint" not in cluster:
            return UNKNOWN
        given = json.loads(self._outside.kubeconfig.read_text(encoding="utf-8"))
        name = cluster["name"]
        address = {
            "server": cluster["endpoint"],
            "certificate-authority-data": cluster["certificateAuthority"]["data"],
        }
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": address}],
            "users": [{"name": name, "user": given["users"][0]["user"]}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
        return json.dumps(content, sort_keys=True)

    def _register(
        self,
        type_token: str,
        name: str,
        parent: str,
        inputs: Properties | None = None,
        *,
        custom: bool = True,
        dependencies: list[str] | None = None,
        version: str = "",
    ) -> Any:
        request = resource_pb2.RegisterResourceRequest(
            type=type_token,
            name=name,
            parent=parent,
            custom=custom,
            object=wire(inputs or {}),
            dependencies=dependencies or [],
            version=version,
            protect=self._request.protect,  # children inherit it
            supportsPartialValues=True,
            aliasSpecs=True,
        )
        if not custom:
            request.providers.update(dict(self._request.providers))
        elif type_token.startswith("aws:"):
            request.provider = self._request.providers.get("aws", "")
        return self._monitor.RegisterResource(request)


def _without_none(data: Properties) -> Properties:
    kept = {key: _without_none(item) if isinstance(item, dict) else item for key, item in data.items()}
    return {key: item for key, item in kept.items() if item is not None}


if __name__ == "__main__":
    serve(EksProvider())
