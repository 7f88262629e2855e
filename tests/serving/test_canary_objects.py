"""What a canary changes in a plan: servers and a backend beside the stable ones, and who may move the traffic."""

from functools import cache
from typing import Any

import pytest
import yaml

from components.serving.canary.rollout import CanaryRolloutArgs
from components.serving.canary.rollout_spec import FILES, deadline_seconds, job_spec, rollout_plan, run_of, scripts
from infra.plan import Manifest, Plan, kubernetes_manifests
from infra.settings import load_stack_file, parse_settings
from infra.settings.canary import with_canaries
from stacks.canary_layer import canary_rollout_args
from stacks.evaluation import evaluate
from tests.conftest import ROOT

KEY = "gpu-platform:platform"
TEXT = (ROOT / "examples" / "canary" / "Pulumi.canary.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("canary")


def changed(canary: dict[str, Any] | None) -> dict[str, Any]:
    """The example with changes of its canary; None removes it."""
    raw: dict[str, Any] = yaml.safe_load(TEXT)["config"]
    (model,) = raw[KEY]["models"]
    model["canary"] = {**model["canary"], **(canary or {})}
    if canary is None:
        del model["canary"]
    return raw


@cache
def plan_of(folder: Any, **canary: Any) -> Plan:
    path = folder / "Pulumi.canary.yaml"
    raw = changed(None if canary == {"without": True} else canary)
    path.write_text(yaml.safe_dump({"config": raw}), encoding="utf-8")
    return evaluate(load_stack_file(path), "stand-in")


def manifests(folder: Any, **canary: Any) -> list[Manifest]:
    return list(kubernetes_manifests(plan_of(folder, **canary)))


def route(found: list[Manifest]) -> Manifest:
    (one,) = [item for item in found if item.kind == "AIGatewayRoute"]
    return one


def backends(found: list[Manifest]) -> dict[str, int]:
    (rule,) = route(found).body["spec"]["rules"]
    return {item["name"]: item.get("weight", 100) for item in rule["backendRefs"]}


def servers(found: list[Manifest]) -> set[str]:
    return {item.name for item in found if item.kind == "Deployment" and item.name.startswith("qwen3-8b")}


def arguments(**canary: Any) -> CanaryRolloutArgs:
    settings = with_canaries(parse_settings(changed(canary)[KEY]))
    model = settings.models[0]
    assert model.canary
    return canary_rollout_args(model, model.canary, settings)


def test_the_route_is_one_object_with_and_without_a_canary(folder: Any) -> None:
    """A second one beside the old would get no traffic until Pulumi deletes the old, after everything it creates."""
    without, having = manifests(folder, without=True), manifests(folder)

    for found in (route(without), route(having)):
        metadata = found.body["metadata"]
        assert (metadata["name"], metadata["namespace"]) == ("chat", "models")
        # The rollout owns the weights from its first step on; the stack's word counts when it has one to say.
        assert metadata["annotations"] == {"pulumi.com/patchForce": "true"}
    assert route(without).urn == route(having).urn
    resources = {item.urn: item for item in plan_of(folder).resources}
    assert resources[route(having).urn].options.ignore_changes == ()
    stable, canary = backends(having).items()
    assert (stable, canary[1]) == (("chat-qwen3-8b", 100), 0)


def test_another_canary_has_other_servers_and_begins_without_traffic(folder: Any) -> None:
    first, second = manifests(folder), manifests(folder, maxModelLen=24576)

    (one,), (other,) = (servers(found) - {"qwen3-8b"} for found in (first, second))
    assert one != other
    assert (backends(first)[f"chat-{one}"], backends(second)[f"chat-{other}"]) == (0, 0)
    assert f"chat-{one}" not in backends(second)


def test_what_is_judged_otherwise_is_another_rollout_of_the_same_servers(folder: Any) -> None:
    again = arguments(bakeSeconds=1200)

    assert again["canary"] == arguments()["canary"]
    assert run_of(again) != run_of(arguments())
    assert servers(manifests(folder)) == {"qwen3-8b", again["canary"]}


def test_another_release_of_the_script_does_not_run_a_canary_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = run_of(arguments())
    monkeypatch.setattr("components.serving.canary.rollout_spec.scripts", lambda: {"script.py": "another"})

    assert run_of(arguments()) == before


def test_canaries_of_two_models_are_two_rollouts() -> None:
    one = arguments()
    other: CanaryRolloutArgs = {**one, "stable": "other", "canary": "other-canary-12345"}

    assert run_of(one) != run_of(other)
    plans = [rollout_plan("x", args)["target"]["annotation"] for args in (one, other)]
    assert plans == ["gpu-platform/canary-qwen3-8b", "gpu-platform/canary-other"]


def bodies(found: list[Manifest], kind: str) -> list[Any]:
    return [
        item.body
        for item in found
        if item.kind == kind
        and item.body["metadata"].get("labels", {}).get("app.kubernetes.io/component", "").startswith("canary-")
    ]


def test_who_edits_the_models_namespace_cannot_move_the_traffic(folder: Any) -> None:
    """Whoever may start pods in a namespace may be any account of it."""
    found = manifests(folder)

    (account,) = bodies(found, "ServiceAccount")
    assert account["metadata"]["namespace"] == "gateway"
    rules = {(body["metadata"]["namespace"], body["metadata"]["name"].rpartition("-")[2]): body["rules"]
             for body in bodies(found, "Role")}  # fmt: skip
    here, there = rules["models", "split"], rules["models", "servers"]
    assert here == [
        {"apiGroups": ["aigateway.envoyproxy.io"], "resources": ["aigatewayroutes"], "resourceNames": ["chat"],
         "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    ]  # fmt: skip
    assert {rule["resources"][0]: rule["verbs"] for rule in there} == {"pods": ["list"], "jobs": ["get", "patch"]}
    assert all(rule.get("resourceNames") for rule in there if rule["resources"] == ["jobs"])
    subjects = [body["subjects"] for body in bodies(found, "RoleBinding")]
    assert subjects == [[{"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": "gateway"}]] * 2


def test_the_rollout_runs_beside_the_gateway_and_its_checks_beside_the_model(folder: Any) -> None:
    jobs = bodies(manifests(folder), "Job")
    places = {job["metadata"]["name"].partition("-check-")[2]: job for job in jobs}

    assert {percent: job["metadata"]["namespace"] for percent, job in places.items()} == {
        "": "gateway", "10": "models", "25": "models", "50": "models", "100": "models",
    }  # fmt: skip
    check = places["10"]["spec"]["template"]
    assert check["metadata"]["labels"]["app.kubernetes.io/component"] == "canary-check"  # asks no API server
    assert check["spec"]["automountServiceAccountToken"] is False
    assert all(len(job["metadata"]["name"]) <= 63 for job in jobs)
    resources = {item.urn: item for item in plan_of(folder).resources}
    (urn,) = [
        item.urn for item in manifests(folder) if item.name == places[""]["metadata"]["name"] and item.kind == "Job"
    ]
    assert resources[urn].options.delete_before_replace is True


def test_both_versions_let_in_the_rollout_and_its_check(folder: Any) -> None:
    for policy in bodies(manifests(folder), "NetworkPolicy"):
        rollout, check = policy["spec"]["ingress"][0]["from"]
        assert rollout["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}
        assert rollout["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "canary-rollout"
        assert list(check) == ["podSelector"]


def test_the_script_ends_before_its_job_does_and_may_be_tried_again_all_that_time() -> None:
    args = arguments()
    spec = job_spec("x", args)

    # Before the steps, and in each: servers, requests, the check.
    assert deadline_seconds(args) == 5 * (2 * 7200 + 1200 + 120)
    assert spec["activeDeadlineSeconds"] > rollout_plan("x", args)["deadline_seconds"] == deadline_seconds(args)
    # Retries are six minutes apart at most.
    assert spec["backoffLimit"] * 360 >= spec["activeDeadlineSeconds"]


def test_the_configmap_holds_every_module_that_the_script_imports() -> None:
    shipped = {path.removesuffix(".py").replace("/", ".") for path in FILES.values()}
    for text in scripts().values():
        for line in text.splitlines():
            if line.startswith(("from components", "from infra", "import components", "import infra")):
                assert line.split()[1] in shipped
