"""What the settings accept and what they make of it, beyond the broken files."""

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.errors import InputError, Problem
from infra.settings import StackFile, load_stack_file, parse_settings
from infra.versions import EKS_AMI_ALIAS, KUBERNETES_MINOR, VLLM_IMAGE

Raw = dict[str, Any]

ARABIC_THREE = "\N{ARABIC-INDIC DIGIT THREE}"  # a digit to `\d`, not to Kubernetes

GOOD: Raw = {
    "target": "eks",
    "tags": {"owner": "ml-platform", "cost-center": "research"},
    "aws": {"accountId": "111111111111", "region": "us-west-2"},
    "network": {"cidr": "10.16.0.0/16", "zones": ["usw2-az1", "usw2-az2"]},
    "cluster": {
        "name": "gpu-test",
        "access": [{"name": "team", "principalArn": "arn:aws:iam::111111111111:role/team", "access": "cluster-admin"}],
    },
    "nodePools": [
        {
            "name": "l4",
            "purpose": "inference",
            "instanceTypes": ["g6.2xlarge", "g6.12xlarge"],
            "capacityTypes": ["on-demand"],
            "limits": {"gpus": 8, "nodes": 4},
        }
    ],
    "models": [{"name": "qwen", "model": "Qwen/Qwen3-8B", "traffic": "interactive", "nodePools": ["l4"]}],
}


def changed(change: Callable[[Raw], object]) -> Raw:
    raw = copy.deepcopy(GOOD)
    change(raw)
    return raw


def problems(change: Callable[[Raw], object]) -> dict[str, Problem]:
    with pytest.raises(InputError) as caught:
        parse_settings(changed(change))
    return {problem.path: problem for problem in caught.value.problems}


def pool(**values: Any) -> Callable[[Raw], object]:
    return lambda raw: raw["nodePools"][0].update(values)


def model(**values: Any) -> Callable[[Raw], object]:
    return lambda raw: raw["models"][0].update(values)


def test_defaults_are_the_pinned_ones() -> None:
    settings = parse_settings(GOOD)

    assert settings.cluster.kubernetes_version == KUBERNETES_MINOR
    assert settings.node_pools[0].ami_alias == EKS_AMI_ALIAS
    assert settings.models[0].image == VLLM_IMAGE
    assert settings.layers == ("foundation", "platform", "workloads")


def test_settings_cannot_be_changed() -> None:
    settings = parse_settings(GOOD)

    with pytest.raises(ValueError, match="frozen"):
        settings.target = "local"  # type: ignore[misc]


def test_the_committed_environments_are_valid_and_named_after_their_file(stack: StackFile, env: str) -> None:
    assert stack.name == env
    assert stack.settings.node_pools
    assert stack.settings.models
    assert (stack.settings.target == "local") == (env == "local")


def test_the_environments_differ_as_real_ones_would(root: Path) -> None:
    loaded = {name: load_stack_file(root / f"Pulumi.{name}.yaml").settings for name in ("dev", "staging", "prod")}

    networks = [settings.network for settings in loaded.values() if settings.network]
    assert len({network.cidr for network in networks}) == 3
    assert len({settings.aws.account_id for settings in loaded.values() if settings.aws}) == 3
    dev, prod = loaded["dev"], loaded["prod"]
    assert all(set(item.capacity_types) == {"spot"} for item in dev.node_pools)
    assert prod.network is not None
    assert len(prod.network.zones) == 3
    by_name = {item.name: item for item in prod.node_pools}
    for served in prod.models:
        if served.traffic == "interactive":
            assert all("spot" not in by_name[name].capacity_types for name in served.node_pools)
    assert {kind for item in prod.node_pools if item.purpose == "training" for kind in item.capacity_types} == {
        "reserved",
        "on-demand",
    }


def test_secrets_are_named_and_their_values_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(
        "config:\n  gpu-platform:huggingFaceToken:\n    secure: v1:AAAA:BBBB\n"
        "  gpu-platform:platform: {target: local, cluster: {name: test}}\n",
        encoding="utf-8",
    )

    stack = load_stack_file(path)

    assert stack.secrets == {"huggingFaceToken"}
    assert "BBBB" not in repr(stack)


def test_keys_of_the_engine_and_of_providers_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(
        "config:\n  aws:region: us-west-2\n  pulumi:disable-default-providers: [kubernetes]\n"
        "  gpu-platform:platform: {target: local, cluster: {name: test}}\nencryptionsalt: v1:x\n",
        encoding="utf-8",
    )

    assert load_stack_file(path).settings.cluster.name == "test"


def test_yaml_anchors_and_merges_work(tmp_path: Path) -> None:
    """The merge of a merge is no duplicate key, in whichever order the two are constructed."""
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(
        "config:\n  other:deep: {a: {b: &outer {<<: {effect: one}, effect: two}}}\n  other:flat: {<<: *outer}\n"
        "  gpu-platform:platform: {target: local, cluster: {name: test}}\n",
        encoding="utf-8",
    )

    assert load_stack_file(path).settings.cluster.name == "test"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (pool(gpu="l4"), "nodePools[0]"),
        (pool(instanceTypes=[]), "nodePools[0]"),
        (pool(weight=101), "nodePools[0].weight"),
        (pool(expireAfter="never"), "nodePools[0].expireAfter"),
        (pool(terminationGracePeriod="Never"), "nodePools[0].terminationGracePeriod"),
        (pool(capacityTypes=["reserved"], reservations=["cr_1"]), "nodePools[0].reservations[0]"),
        (pool(amiAlias="bottlerocket@v1.2.3"), "nodePools[0].amiAlias"),
        (pool(amiAlias=f"al2023@v{ARABIC_THREE * 8}"), "nodePools[0].amiAlias"),
        (pool(name="a" * 47), "nodePools[0].name"),
        (pool(disruption={"budgets": [{"nodes": "101%"}]}), "nodePools[0].disruption.budgets[0].nodes"),
        (pool(disruption={"budgets": [{"nodes": f"{ARABIC_THREE}%"}]}), "nodePools[0].disruption.budgets[0].nodes"),
        (model(replicas=2.0), "models[0].replicas"),
        (model(replicas=True), "models[0].replicas"),
        (model(gpuMemoryUtilization=math.nan), "models[0].gpuMemoryUtilization"),
        (model(checkpointGib=math.inf), "models[0].checkpointGib"),
        (model(image="docker.io/vllm/vllm-openai"), "models[0].image"),
        (model(image="localhost:5000/vllm"), "models[0].image"),
        (model(shapeOf="Qwen/Qwen3-9B"), "models[0].shapeOf"),
        (model(namespace="Models"), "models[0].namespace"),
        (lambda raw: raw.update(layers=["network"]), "layers[0]"),
        (lambda raw: raw["aws"].update(accountId="12345"), "aws.accountId"),
        (lambda raw: raw["tags"].update(owner=""), "tags"),
        (lambda raw: raw.pop("network"), "network"),
        (lambda raw: raw.pop("cluster"), "cluster"),
    ],
)  # fmt: skip
def test_what_is_not_accepted_is_told_by_its_path(change: Callable[[Raw], object], path: str) -> None:
    assert path in problems(change)


@pytest.mark.parametrize(
    ("change", "path", "word"),
    [
        (pool(gpu="L40S", instanceTypes=[]), "nodePools[0].gpu", '"l40s"'),
        (pool(instanceTypes=["p5.48xl"]), "nodePools[0].instanceTypes[0]", '"p5.48xlarge"'),
        (pool(purpose="infernce"), "nodePools[0].purpose", '"inference"'),
        (model(traffic="Interactive"), "models[0].traffic", '"interactive"'),
        (model(shapeOf="qwen/qwen3-8b"), "models[0].shapeOf", '"Qwen/Qwen3-8B"'),
        (model(nodePools=["L4"]), "models[0].nodePools[0]", '"l4"'),
    ],
)
def test_the_nearest_spelling_is_given(change: Callable[[Raw], object], path: str, word: str) -> None:
    assert word in problems(change)[path].mend


@pytest.mark.parametrize(
    "change",
    [
        model(replicas=10**400),
        model(maxModelLen=2**63, model="acme/unknown", checkpointGib=1.0),
        model(startupSeconds=10**30),
        pool(limits={"gpus": 10**400, "nodes": 1}),
        pool(rootVolumeGib=10**400),
    ],
)
def test_a_number_no_api_can_hold_is_refused(change: Callable[[Raw], object]) -> None:
    """Kubernetes counts in 32 bits; a larger number would end the preview with a traceback, or be rounded."""
    assert problems(change)


@pytest.mark.parametrize("number", [int("f" * 5000, 16), -int("f" * 5000, 16)], ids=["above", "below"])
def test_a_number_python_will_not_print_is_a_problem_too(number: int) -> None:
    assert "models[0].replicas" in problems(model(replicas=number))


def test_a_duration_without_end_is_a_problem_too() -> None:
    assert "nodePools[0].terminationGracePeriod" in problems(pool(terminationGracePeriod="9" * 5000 + "h"))


@pytest.mark.parametrize("key", [".", "[", "]", "..", ""])
def test_a_key_made_of_path_marks_is_still_a_problem_with_a_place(key: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(
        f'config:\n  gpu-platform:platform: {{target: local, cluster: {{name: test}}, "{key}": 1}}\n', encoding="utf-8"
    )

    with pytest.raises(InputError) as caught:
        load_stack_file(path)

    (problem,) = caught.value.problems
    assert problem.path
    assert problem.line == 2


@pytest.mark.parametrize("key", ["config", "gpu-platform:platform"])
def test_a_key_with_the_name_of_an_outer_one_has_its_own_line(key: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(
        f"config:\n  gpu-platform:platform:\n    target: local\n    cluster: {{name: test}}\n    {key}: 1\n",
        encoding="utf-8",
    )

    with pytest.raises(InputError) as caught:
        load_stack_file(path)

    assert [problem.line for problem in caught.value.problems] == [5]


def test_keys_that_are_not_text_have_a_path_a_reader_finds() -> None:
    found = problems(lambda raw: raw["tags"].update({1: "a", None: "b"}))

    assert {"tags.1", "tags.null"} <= set(found) or {"tags.1", "tags.None"} <= set(found)


def test_what_stands_in_a_message_is_printable() -> None:
    """A configuration may come from a stranger: no line break or terminal sequence of it reaches the screen."""
    with pytest.raises(InputError) as caught:
        parse_settings(changed(lambda raw: raw.update({"a\n\x1b[31mb": 1})))

    for problem in caught.value.problems:
        assert all(line.isprintable() for line in str(problem).splitlines())
        assert len(str(problem).splitlines()) == 4


@pytest.mark.parametrize("text", ["Qwen/Qwen3-8B\n--trust-remote-code", "a\x1b[31mb", "--help"])
def test_a_model_is_a_repository_or_a_path_and_no_flag(text: str) -> None:
    """It is the first argument of the engine, and the tree prints it."""
    assert "models[0].model" in problems(model(model=text, checkpointGib=1.0))


@pytest.mark.parametrize("image", [":v1", "a b:v1", "vllm:v1\n", "vllm@sha256:zz", "vllm:"])
def test_an_image_is_a_reference_a_kubelet_can_read(image: str) -> None:
    assert "models[0].image" in problems(model(image=image))


@pytest.mark.parametrize("key", ["gpu-platform/purpose", "karpenter.sh/nodepool"])
def test_a_label_of_a_pool_does_not_replace_what_the_platform_sets(key: str) -> None:
    assert any("labels" in path for path in problems(pool(labels={key: "other"})))


def test_a_free_range_is_proposed_at_once() -> None:
    """Not by trying the 16 million addresses of 10.0.0.0/8 one by one."""
    began = time.monotonic()

    found = problems(lambda raw: raw["network"].update(cidr="10.0.0.0/8", secondaryCidrs=["10.1.2.3/32"]))

    assert time.monotonic() - began < 2
    assert "172.16.0.0/32" in found["network.secondaryCidrs[0]"].mend


def test_no_range_is_proposed_that_overlaps() -> None:
    found = problems(lambda raw: raw["network"].update(cidr="0.0.0.0/0"))

    assert "172.20.0.0/16" not in found["cluster.serviceCidr"].mend


def test_many_problems_are_placed_in_one_reading(tmp_path: Path) -> None:
    """300 problems take about as long as one reading of the file, not 300 readings."""
    items = "".join(
        f"      - {{name: m{index}, model: Qwen/Qwen3-8B, traffic: interactive, nodePools: [a], replicas: 0}}\n"
        for index in range(300)
    )
    path = tmp_path / "Pulumi.many.yaml"
    path.write_text(
        f"config:\n  gpu-platform:platform:\n    target: local\n    cluster: {{name: a}}\n    models:\n{items}",
        encoding="utf-8",
    )
    began = time.monotonic()

    with pytest.raises(InputError) as caught:
        load_stack_file(path)

    lines = [problem.line for problem in caught.value.problems if problem.path.endswith("replicas")]
    assert lines == list(range(6, 306))
    assert time.monotonic() - began < 1.5


def test_one_wrong_value_does_not_hide_what_spans_areas() -> None:
    found = problems(
        lambda raw: (
            raw["network"].update(cidr="10.16.0.1/16"),
            raw["models"].append({**raw["models"][0], "name": "other", "tensorParallel": 8}),
            raw["tags"].pop("owner"),
        )
    )

    assert set(found) == {"network.cidr", "models[1].tensorParallel", "tags"}


@pytest.mark.parametrize(
    ("gpus", "fits"),
    [(1, True), (2, True), (4, True), (8, False), (3, False)],
)
def test_tensor_parallel_fits_the_largest_allowed_node_and_the_heads(gpus: int, fits: bool) -> None:
    if fits:
        assert parse_settings(changed(model(tensorParallel=gpus))).models[0].tensor_parallel == gpus
    else:
        assert "models[0].tensorParallel" in problems(model(tensorParallel=gpus))


@pytest.mark.parametrize(("pre_stop", "shutdown"), [(15, 300), (15, 96), (108, 90), (150, 90)], ids=str)
def test_following_the_mend_of_a_drain_on_spot_mends_it(pre_stop: int, shutdown: int) -> None:
    drain = {"preStopSeconds": pre_stop, "shutdownTimeoutSeconds": shutdown}
    on_spot = changed(pool(capacityTypes=["spot"]))
    on_spot["models"][0].update(traffic="interruptible", drain=drain)
    with pytest.raises(InputError) as caught:
        parse_settings(on_spot)
    (problem,) = caught.value.problems
    key, _, rest = problem.mend.removeprefix("write ").partition(": ")

    drain[key] = int(rest.split()[0])

    assert parse_settings(on_spot).models[0].drain.pre_stop_seconds == drain["preStopSeconds"]
