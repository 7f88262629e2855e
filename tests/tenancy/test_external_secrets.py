"""Secrets from outside reach the tenant they are for, and nobody else can ask for them."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are not pinned here
import pytest
import yaml

from components.tenancy.external_secrets_rights import (
    NAMESPACE,
    READERS,
    SERVICE_ACCOUNT,
    operator_rules,
    reader_rules,
)
from infra.conventions import secret_operator_role, tenant_secrets_role, tenant_secrets_roles
from infra.plan import Manifest, Plan, kubernetes_manifests
from infra.planning.destroy import DestroyGraph, violations
from infra.versions import EXTERNAL_SECRETS
from simulator.crds import SOURCES, module_folder
from stacks.evaluation import evaluate
from tests.identity.least_privilege import faults, iam_documents
from tests.tenancy.examples import RESEARCH, Edit, example, problems, tenant

ACCOUNT = "arn:aws:iam::222222222222"
RELEASE = "kubernetes:helm.sh/v3:Release"
ROLE = "aws:iam/role:Role"


def token(**values: Any) -> Edit:
    """A token of the second tenant from a store."""
    return tenant(RESEARCH, secrets={"huggingFaceToken": {"key": "research/hugging-face", **values}})


@cache
def both() -> Plan:
    """Each of the two tenants with a secret of its own."""
    return evaluate(example(token()), "stand-in")


def objects(kind: str, plan: Plan) -> dict[str, Manifest]:
    """Objects of a kind by namespace."""
    return {item.namespace: item for item in kubernetes_manifests(plan) if item.kind == kind}


def statements(plan: Plan, where: str) -> list[dict[str, Any]]:
    return [statement for item in iam_documents(plan) if item.where == where for statement in item.statements]


@pytest.mark.parametrize(("name", "key"), [("chat", "ml/hugging-face"), ("research", "research/hugging-face")])
def test_a_tenant_has_a_store_with_a_role_that_reads_its_secrets_and_no_others(name: str, key: str) -> None:
    (read,) = statements(both(), f"external-secrets-of-{name}-read.policy")
    (trust,) = statements(both(), f"external-secrets-of-{name}-role.assumeRolePolicy")
    store, secret = objects("SecretStore", both())[name], objects("ExternalSecret", both())[name]
    role = next(item for item in both().of_type(ROLE) if item.name == f"external-secrets-of-{name}-role")

    assert store.body["spec"]["provider"]["aws"] == {
        "service": "SecretsManager",
        "region": "us-east-2",
        "role": f"{ACCOUNT}:role/{role.inputs['name']}",
    }
    assert secret.body["spec"]["secretStoreRef"] == {"kind": "SecretStore", "name": store.name}
    assert read["Resource"] == [f"arn:aws:secretsmanager:us-east-2:222222222222:secret:{key}-??????"]
    assert sorted(read["Action"]) == ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    assert trust["Condition"] == {"ArnEquals": {"aws:PrincipalArn": f"{ACCOUNT}:role/ExternalSecrets-gpu-shared"}}


def test_the_operator_takes_the_tenants_roles_and_reads_nothing_itself() -> None:
    ours = [item for item in iam_documents(both()) if item.where.startswith("external-secrets-identity")]
    (assume,) = statements(both(), "external-secrets-identity-assume.policy")
    (role,) = [item for item in both().of_type(ROLE) if item.name == "external-secrets-identity-role"]

    assert len(ours) == 2  # its trust, and this
    assert role.inputs["name"] == secret_operator_role("gpu-shared")
    assert assume["Action"] == ["sts:AssumeRole", "sts:TagSession"]  # the tags of Pod Identity are transitive
    assert assume["Resource"] == [f"{ACCOUNT}:role/Secrets-gpu-shared.*"]
    assert [fault for item in iam_documents(both()) for fault in faults(item)] == []


def test_no_store_is_open_to_all() -> None:
    assert objects("ClusterSecretStore", both()) == {}
    (operator,) = [item for item in both().of_type(RELEASE) if item.name == "external-secrets-operator"]
    values: Any = operator.inputs["values"]
    assert values["processClusterStore"] is False
    assert values["rbac"]["create"] is False  # the chart's own roles let every admin write stores


def test_secrets_go_before_their_store_and_it_before_the_rights_behind_it() -> None:
    assert [str(item) for item in violations(both())] == []
    order = DestroyGraph(both()).order()
    urn = {item.name: item.urn for item in both()}

    assert order.holds(urn["research-hugging-face"], urn["research-store"])
    assert order.holds(urn["research-store"], urn["external-secrets-of-research-read-attachment"])
    assert order.holds(urn["external-secrets-operator"], urn["external-secrets-of-research-read-attachment"])
    assert order.holds(urn["external-secrets-operator"], urn["external-secrets-binding"])


def test_a_store_of_somebody_else_is_named_by_its_kind_and_needs_more_of_the_operator() -> None:
    plan = evaluate(example(token(store="company", storeKind="SecretStore")), "stand-in")
    (role,) = [item for item in kubernetes_manifests(plan) if item.kind == "ClusterRole" and "operator" in item.name]
    (operator,) = [item for item in plan.of_type(RELEASE) if item.name == "external-secrets-operator"]
    values: Any = operator.inputs["values"]

    assert set(objects("SecretStore", plan)) == {"chat"}
    assert objects("ExternalSecret", plan)["research"].body["spec"]["secretStoreRef"] == {
        "kind": "SecretStore",
        "name": "company",
    }
    assert values["processClusterStore"] is True
    assert may(role.body["rules"], "", "serviceaccounts/token", "create")
    assert not may(operator_rules(other_stores=False), "", "serviceaccounts/token", "create")


def test_an_operator_of_somebody_else_cannot_take_roles_of_ours() -> None:
    def theirs(settings: dict[str, Any]) -> None:
        settings["target"] = "existing"
        settings["cluster"]["installed"] = ["karpenter", "aws-load-balancer-controller", "external-secrets"]

    def named(settings: dict[str, Any]) -> None:
        theirs(settings)
        settings["tenants"][0]["secrets"]["huggingFaceToken"]["store"] = "company"

    told = [item for item in problems(theirs) if item.path == "tenants[0].secrets.huggingFaceToken"]
    assert [item.found for item in told] == ["no store, with external-secrets under cluster.installed"]
    assert "add store" in told[0].mend
    assert [item for item in problems(named) if "huggingFaceToken" in item.path] == []


def test_a_kind_without_a_store_is_a_mistake() -> None:
    (told,) = problems(token(storeKind="SecretStore"))

    assert told.accepted == "storeKind beside store"


def test_names_of_roles_fit_and_are_apart() -> None:
    """Also where they are as long as they may be: two clusters of an account, and two tenants of one."""
    clusters, namespaces = ["llm", "llm-b", "c" * 46], ["b", "chat", "n" * 63, "n" * 62 + "m"]
    names = [tenant_secrets_role(cluster, namespace) for cluster in clusters for namespace in namespaces]

    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 64
    assert all(re.fullmatch(r"[\w+=,.@-]+", name) for name in names)
    for cluster in clusters:
        prefix = tenant_secrets_roles(cluster)
        theirs = {tenant_secrets_role(cluster, namespace) for namespace in namespaces}
        assert {name for name in names if name.startswith(prefix)} == theirs


# --- against the chart, as its Go module has it -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def chart(state_root: Path) -> Path:
    del state_root
    (source,) = [item for item in SOURCES if item.folder == "external-secrets"]
    folder = module_folder(source)
    assert folder.name.endswith(f"@v{EXTERNAL_SECRETS}")
    return folder / "deploy" / "charts" / "external-secrets"


def template(chart: Path, without: str = "(?!)") -> dict[str, Any]:
    """Roles of the chart with everything on, without what the values `without` decide, by the end of their name."""
    text = (chart / "templates" / "rbac.yaml").read_text(encoding="utf-8")
    text = re.sub(rf"\{{\{{- if \.Values\.({without}) \}}\}}.*?\{{\{{- end \}}\}}", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*\{\{[^}]*\}\}\s*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\{\{[^}]*\}\}", "x", text)
    found = [item for item in yaml.safe_load_all(text) if item]
    return {item["metadata"]["name"].rpartition("-")[2]: item for item in found if "rules" in item}


def may(rules: list[dict[str, Any]], group: str, resource: str, verb: str) -> bool:
    return any(group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"] for rule in rules)


def each(rules: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


@pytest.mark.parametrize("other_stores", [False, True])
def test_the_operator_may_nothing_that_its_chart_does_not_let_it(chart: Path, other_stores: bool) -> None:
    theirs = template(chart)["controller"]["rules"]
    ours = operator_rules(other_stores=other_stores)

    assert len(each(ours)) > 20
    assert [item for item in each(ours) if not may(theirs, *item)] == []


def test_whatever_the_values_the_chart_lets_an_admin_write_stores(chart: Path) -> None:
    """Why its roles are not used. When this fails, the values may do: see external_secrets_rights.py."""
    edit = template(chart, "rbac.aggregateToEdit|rbac.aggregateToView")["edit"]

    assert "rbac.authorization.k8s.io/aggregate-to-edit" not in edit["metadata"]["labels"]
    assert edit["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-admin"]
    assert may(edit["rules"], "external-secrets.io", "secretstores", "create")


def test_every_value_is_one_of_the_chart(chart: Path) -> None:
    known = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    for release in both().of_type(RELEASE):
        if release.name.startswith("external-secrets"):
            given: Any = release.inputs["values"]
            assert set(given) <= set(known)
            assert set(given["rbac"]) <= set(known["rbac"])
            jsonschema.validate(given, schema)


def test_who_reads_the_state_of_secrets_writes_none() -> None:
    assert {verb for _, _, verb in each(reader_rules())} == {"get", "list", "watch"}
    (readers,) = [item for item in kubernetes_manifests(both()) if item.name == READERS]
    labels = [key for key in readers.body["metadata"]["labels"] if key.startswith("rbac.")]
    assert labels == ["rbac.authorization.k8s.io/aggregate-to-view"]
    bound = [
        subject
        for item in kubernetes_manifests(both())
        if item.kind in ("ClusterRoleBinding", "RoleBinding") and item.name.startswith("external-secrets")
        for subject in item.body["subjects"]
    ]
    assert bound == [{"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": NAMESPACE}] * 2
