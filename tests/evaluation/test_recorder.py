"""What the recording monitor keeps of a program: true URNs, integers, markers, options, ties."""

import json

import pulumi
import pytest
from pulumi_kubernetes import Provider
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ConfigMap, Secret

from infra.errors import PlatformError
from infra.plan import Marker, Plan, PlannedResource, plan_as_json, plan_as_tree
from infra.plan.records import Mode
from tests.evaluation.programs import run, unknown


class Outer(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("test:index:Outer", name, {}, opts)
        self.inner = Inner(f"{name}-inner", pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


class Inner(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("test:index:Inner", name, {}, opts)
        self.leaf = config_map(f"{name}-leaf", opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


def config_map(logical_name: str, opts: pulumi.ResourceOptions | None = None, **data: pulumi.Input[str]) -> ConfigMap:
    return ConfigMap(logical_name, metadata={"name": logical_name}, data=data, opts=opts)


def named(plan: Plan, name: str) -> PlannedResource:
    (found,) = [resource for resource in plan if resource.name == name]
    return found


MODES: tuple[Mode, ...] = ("unknown", "stand-in")


@pytest.mark.parametrize("mode", MODES)
def test_urns_name_every_ancestor(mode: Mode) -> None:
    plan = run(lambda: Outer("a"), mode)

    prefix = "urn:pulumi:test::gpu-platform::"
    assert [resource.urn for resource in plan] == [
        f"{prefix}test:index:Outer::a",
        f"{prefix}test:index:Outer$test:index:Inner::a-inner",
        f"{prefix}test:index:Outer$test:index:Inner$kubernetes:core/v1:ConfigMap::a-inner-leaf",
    ]
    assert [resource.parent for resource in plan] == ["", plan.resources[0].urn, plan.resources[1].urn]
    assert [resource.custom for resource in plan] == [False, False, True]


def test_integers_stay_integers_and_other_numbers_stay_what_they_are() -> None:
    spec = {"whole": 3, "zero": 0, "negative": -7, "large": 2**53, "share": 0.92, "flag": True, "text": "3"}

    plan = run(lambda: CustomResource("x", api_version="test/v1", kind="X", metadata={"name": "x"}, spec=spec))

    found = named(plan, "x").inputs["spec"]
    assert found == spec
    assert isinstance(found, dict)
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in spec.items()}
    assert '"whole": 3,' in json.dumps(plan_as_json(plan))


@pytest.mark.parametrize("mode", MODES)
def test_secrets_are_markers_in_inputs_and_exports(mode: Mode) -> None:
    def program() -> None:
        value = pulumi.Output.secret("in-clear")
        secret = Secret("s", metadata={"name": "s"}, string_data={"token": value, "plain": "shown"})
        config_map("m", text=pulumi.Output.concat("prefix-", value))
        pulumi.export("direct", value)
        pulumi.export("nested", {"deep": [value]})
        pulumi.export("through", secret.string_data.apply(lambda data: data["token"]))

    plan = run(program, mode)

    assert "in-clear" not in repr(plan)
    assert "in-clear" not in json.dumps(plan_as_json(plan))
    assert "in-clear" not in plan_as_tree(plan)
    assert named(plan, "m").inputs["data"] == {"text": Marker.SECRET}
    assert plan.exports["direct"] is Marker.SECRET
    assert plan.exports["through"] is Marker.SECRET
    assert plan.exports["nested"] in ({"deep": [Marker.SECRET]}, Marker.SECRET)


def test_an_unknown_secret_is_a_secret() -> None:
    plan = run(lambda: config_map("m", text=unknown(secret=True)))

    assert named(plan, "m").inputs["data"] == {"text": Marker.SECRET}


def test_what_only_the_cloud_knows_is_unknown_in_a_preview_and_made_up_otherwise() -> None:
    def program() -> None:
        first = config_map("first")
        config_map("second", id=first.id, name=first.metadata["name"])
        pulumi.export("id", first.id)

    preview, stand_in = run(program), run(program, "stand-in")

    assert named(preview, "second").inputs["data"] == {"id": Marker.UNKNOWN, "name": "first"}
    assert preview.exports == {"id": Marker.UNKNOWN}
    assert isinstance(stand_in.exports["id"], str)
    assert stand_in.exports["id"]
    assert named(stand_in, "second").inputs["data"] == {"id": stand_in.exports["id"], "name": "first"}
    assert (preview.mode, stand_in.mode) == ("unknown", "stand-in")


def test_the_program_knows_whether_it_is_a_dry_run() -> None:
    """Code that runs only on a real `up` has to know."""
    seen: list[bool] = []

    run(lambda: seen.append(pulumi.runtime.is_dry_run()))
    run(lambda: seen.append(pulumi.runtime.is_dry_run()), "stand-in")

    assert seen == [True, False]


def test_an_unknown_output_never_runs_an_apply() -> None:
    ran: list[object] = []

    def note(value: object) -> str:
        ran.append(value)
        return "x"

    plan = run(lambda: config_map("m", text=unknown().apply(note)))

    assert ran == []
    assert named(plan, "m").inputs["data"] == {"text": Marker.UNKNOWN}


def test_ties_are_kept() -> None:
    def program() -> None:
        provider = Provider("p", context="test")
        first = config_map("first", pulumi.ResourceOptions(provider=provider))
        config_map("second", pulumi.ResourceOptions(provider=provider, depends_on=[first]), text=first.metadata["name"])

    plan = run(program, "stand-in")

    first, second = named(plan, "first"), named(plan, "second")
    assert second.provider == first.provider == named(plan, "p").urn
    assert second.dependencies == (first.urn,)
    assert second.property_dependencies["data"] == (first.urn,)


def test_options_are_kept() -> None:
    options = pulumi.ResourceOptions(
        protect=True,
        retain_on_delete=True,
        delete_before_replace=True,
        ignore_changes=["data"],
        replace_on_changes=["metadata"],
        additional_secret_outputs=["data"],
        custom_timeouts=pulumi.CustomTimeouts(create="10m", delete="5m"),
        aliases=[pulumi.Alias(name="old-name"), "urn:pulumi:test::gpu-platform::test:index:Old::older"],
    )

    found = named(run(lambda: config_map("m", options)), "m").options

    assert (found.protect, found.retain_on_delete, found.delete_before_replace) == (True, True, True)
    assert (found.ignore_changes, found.replace_on_changes) == (("data",), ("metadata",))
    assert "data" in found.additional_secret_outputs
    assert found.custom_timeouts == {"create": "10m", "delete": "5m"}
    assert any("older" in alias for alias in found.aliases)
    assert any("old-name" in alias for alias in found.aliases), "an alias by name is lost"


def test_deleted_with_is_kept() -> None:
    def program() -> None:
        config_map("second", pulumi.ResourceOptions(deleted_with=config_map("first")))

    plan = run(program)

    assert named(plan, "second").options.deleted_with == named(plan, "first").urn


def test_a_look_up_is_refused_by_its_name() -> None:
    """A plan without a cloud cannot answer it, whether the program waits for the answer or not."""
    with pytest.raises(PlatformError, match="aws:index/getCallerIdentity:getCallerIdentity") as caught:
        run(lambda: pulumi.runtime.invoke("aws:index/getCallerIdentity:getCallerIdentity", {}))
    assert "setting" in caught.value.mend


def test_a_look_up_by_an_output_is_refused_too() -> None:
    with pytest.raises(PlatformError, match="aws:index/getRegion:getRegion"):
        run(lambda: pulumi.export("x", pulumi.runtime.invoke_output("aws:index/getRegion:getRegion", {})))


def test_a_call_is_refused_as_a_look_up_is() -> None:
    with pytest.raises(PlatformError, match="eks:index:Cluster/getKubeconfig"):
        run(lambda: pulumi.export("x", pulumi.runtime.call("eks:index:Cluster/getKubeconfig", {})))


def test_two_resources_of_one_urn_are_refused() -> None:
    def program() -> None:
        config_map("twin")
        config_map("twin")

    with pytest.raises(
        PlatformError, match="same URN: urn:pulumi:test::gpu-platform::kubernetes:core/v1:ConfigMap::twin"
    ):
        run(program)


def test_an_error_of_the_program_comes_out_as_it_is() -> None:
    class ProgramError(Exception):
        pass

    def program() -> None:
        config_map("before")
        raise ProgramError

    with pytest.raises(ProgramError):
        run(program)


def test_an_error_inside_an_apply_comes_out() -> None:
    def fail(_: object) -> str:
        raise ValueError("inside")

    with pytest.raises(Exception, match="inside"):
        run(lambda: config_map("m", text=pulumi.Output.from_input("x").apply(fail)))


def test_a_text_with_an_output_in_it_is_refused() -> None:
    """PULUMI_ERROR_OUTPUT_STRING, set for all tests, makes an f-string on an Output an error."""
    with pytest.raises(Exception, match="__str__"):
        run(lambda: config_map("m", text=f"{config_map('other').id}"))


def test_a_failed_evaluation_leaves_nothing_for_the_next() -> None:
    """The SDK keeps what is under way in globals: without care the next failure waits for the last one's for ever."""

    def twice() -> None:
        config_map("twin")
        config_map("twin")

    for _ in range(2):
        with pytest.raises(PlatformError, match="same URN"):
            run(twice)

    assert [resource.name for resource in run(lambda: config_map("twin"))] == ["twin"]


def test_a_stack_reference_is_read_and_not_created() -> None:
    plan = run(lambda: pulumi.StackReference("organization/gpu-platform/dev"))

    (found,) = plan.resources
    assert found.read
    assert found.type_token == "pulumi:pulumi:StackReference"
