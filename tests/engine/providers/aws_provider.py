"""The stand-in for the AWS provider: it checks, names and remembers, and refuses what AWS refuses."""

import json
import secrets
from threading import Lock

from tests.engine.providers.aws_formats import faults
from tests.engine.providers.aws_kinds import Place, born, endpoint_of, kind_of
from tests.engine.providers.aws_references import CLUSTER, GROUP, KEY, TEMPLATE
from tests.engine.providers.aws_rules import why_not_deleted, why_not_made
from tests.engine.providers.aws_schema import misfits, schema_of
from tests.engine.providers.changes import Change, ProviderError, Replacement
from tests.engine.providers.outside import Row
from tests.engine.providers.serving import StandIn, serve
from tests.engine.providers.values import Properties

_MADE_UP = "__defaults"  # where the real provider keeps which inputs it filled in


class AwsProvider(StandIn):
    """What exists is in the world's store, and nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self._one_at_a_time = Lock()  # the rules look at the store before they change it

    @property
    def _place(self) -> Place:
        accounts = self.configuration.get("allowedAccountIds") or "[]"
        listed = json.loads(accounts) if isinstance(accounts, str) else accounts
        if not self.configuration.get("region") or not listed:
            raise ProviderError(
                "the AWS provider has no region or no account: a resource without the explicit provider"
            )
        return Place(self.configuration["region"], str(listed[0]))

    def check(self, change: Change) -> tuple[Properties, dict[str, str]]:
        kind = kind_of(change.type_token)
        inputs = dict(change.inputs)
        if kind.named and not inputs.get(kind.named):
            # As the real provider does: the program's name, and something that makes it unique; and it remembers.
            inputs[kind.named] = change.old_inputs.get(kind.named) or f"{change.name}-{secrets.token_hex(4)[:7]}"
            inputs[_MADE_UP] = [kind.named]
        found = misfits(schema_of(change.type_token), inputs)
        return inputs, found | faults(change.type_token, inputs, kind.longest, kind.named)

    def replacement(self, change: Change, properties: list[str]) -> Replacement:
        kind = kind_of(change.type_token)
        # A new one beside the old one needs an identifier that AWS makes, or another name.
        beside = bool(kind.made or _MADE_UP in change.inputs or kind.named in properties)
        return Replacement(tuple(key for key in properties if key in kind.fixed), delete_first=not beside)

    def create(self, change: Change) -> tuple[str, Properties]:
        if change.preview:
            return "", change.inputs
        with self._one_at_a_time:
            return self._made(change)

    def _made(self, change: Change) -> tuple[str, Properties]:
        rows = self.outside.rows()
        if refused := why_not_made(change.type_token, change.inputs, rows):
            raise ProviderError(f"creating {change.type_token}: {refused}")
        key, outputs = born(change.type_token, change.inputs, self._place, self._endpoint)
        if any((row.type_token, row.key) == (change.type_token, key) for row in rows):
            raise ProviderError(f"creating {change.type_token}: EntityAlreadyExists: {key} already exists")
        self.outside.put(Row(change.type_token, key, change.inputs, outputs))
        if change.type_token == CLUSTER:
            self._put_cluster_group(key, outputs)
        return key, outputs

    def _put_cluster_group(self, cluster: str, outputs: Properties) -> None:
        """EKS makes a security group for each cluster, and takes it away with it."""
        group, subnets = outputs["vpcConfig"]["clusterSecurityGroupId"], outputs["vpcConfig"]["subnetIds"]
        vpc = next(row.inputs["vpcId"] for row in self.outside.rows() if row.key == subnets[0])
        inputs = {"vpcId": vpc, "name": f"eks-cluster-sg-{cluster}"}
        self.outside.put(Row(GROUP, group, inputs, inputs))

    def read(self, change: Change) -> tuple[Properties, Properties] | None:
        row = self.outside.row(change.type_token, change.identifier)
        if row is None:
            return None
        inputs = {key: row.inputs.get(key) for key in change.inputs if key in row.inputs}
        return inputs, row.outputs

    def update(self, change: Change) -> Properties:
        computed = {key: value for key, value in change.state.items() if key not in change.old_inputs}
        if change.preview:
            return {**computed, **change.inputs}
        with self._one_at_a_time:
            row = self.outside.row(change.type_token, change.identifier)
            if row is None:
                raise ProviderError(f"updating {change.type_token} {change.identifier}: couldn't find resource")
            outputs = {**computed, **change.inputs, "tagsAll": change.inputs.get("tags", {})}
            if change.type_token == TEMPLATE:
                outputs["latestVersion"] = change.state["latestVersion"] + 1
            if change.type_token == CLUSTER:
                outputs["vpcConfig"] = {**row.outputs["vpcConfig"], **change.inputs["vpcConfig"]}
            self.outside.put(Row(change.type_token, change.identifier, change.inputs, outputs))
        return outputs

    def delete(self, change: Change) -> None:
        with self._one_at_a_time:
            rows = self.outside.rows()
            row = next(
                (row for row in rows if (row.type_token, row.key) == (change.type_token, change.identifier)), None
            )
            if row is None:
                return
            if refused := why_not_deleted(row, rows):
                raise ProviderError(f"deleting {change.type_token} ({change.identifier}): {refused}")
            self.outside.remove(change.type_token, change.identifier)
            if change.type_token == CLUSTER:
                self.outside.remove(GROUP, row.outputs["vpcConfig"]["clusterSecurityGroupId"])
            if change.type_token == KEY:  # it waits for its window, and costs nothing meanwhile
                self.outside.write(event="scheduled", type=KEY, days=row.inputs.get("deletionWindowInDays"))

    def _endpoint(self) -> Properties:
        return endpoint_of(json.loads(self.outside.kubeconfig.read_text(encoding="utf-8")))


if __name__ == "__main__":
    serve(AwsProvider())
