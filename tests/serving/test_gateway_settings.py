"""Bad settings of the gateway: where, what was found, what is accepted, and a mend that is itself accepted."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import InputError, Problem
from infra.planning.routes import patience
from tests.serving.gateway_example import Change, raw, settings_of


def problems(change: Change) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        settings_of(change)
    return list(caught.value.problems)


def only(edit: Callable[[Change], object]) -> Problem:
    change = raw()
    edit(change)
    (problem,) = problems(change)
    return problem


def route(change: Change, index: int) -> Any:
    return change["gateway"]["routes"][index]


def test_the_example_is_accepted() -> None:
    assert settings_of(raw()).gateway


def test_a_public_gateway_without_authentication_is_refused() -> None:
    def edit(change: Change) -> None:
        change["gateway"].update(scheme="internet-facing", classes=[])
        del change["gateway"]["authentication"]
        for index in (0, 2):
            route(change, index)["limits"] = []

    found = only(edit)
    assert (found.path, found.found) == ("gateway.scheme", '"internet-facing" without authentication')
    assert "apiKeys or jwt" in found.accepted


@pytest.mark.parametrize("why", ["in production", "with tenants: chat"])
def test_a_private_gateway_asks_for_keys_in_production_and_between_tenants(why: str) -> None:
    def edit(change: Change) -> None:
        change["gateway"].update(classes=[])
        del change["gateway"]["authentication"]
        for index in (0, 2):
            route(change, index)["limits"] = []
        if why == "in production":
            change["stage"] = "production"
        else:
            quota = {"gpus": 1, "cpu": 1, "memoryGib": 1, "ephemeralStorageGib": 1, "pods": 1}
            change["tenants"] = [{"name": "chat", "team": "chat", "quota": quota}]

    found = {problem.path: problem.found for problem in problems_of(edit)}
    assert found["gateway.authentication"] == f"none, {why}"


def test_production_without_tls_is_refused() -> None:
    def edit(change: Change) -> None:
        change["stage"] = "production"
        del change["gateway"]["tls"]

    assert "gateway.tls" in {problem.path for problem in problems_of(edit)}


def problems_of(edit: Callable[[Change], object]) -> list[Problem]:
    change = raw()
    edit(change)
    return problems(change)


def test_a_model_that_is_not_there_is_named_with_the_nearest() -> None:
    found = only(lambda change: route(change, 0).update(backends=[{"model": "qwen3-32bb"}]))

    assert found.path == "gateway.routes[0].backends[0].model"
    assert found.mend == 'did you mean "qwen3-32b"?'


def test_weights_that_do_not_sum_say_what_is_missing() -> None:
    found = only(lambda change: route(change, 1)["backends"][1].update(weight=20))

    assert (found.path, found.found) == ("gateway.routes[1].backends", "90 + 20 = 110 percent")
    assert found.mend == "write 10 for qwen3-8b-next"


def test_a_time_out_shorter_than_the_longest_generation_is_refused_with_both_numbers() -> None:
    found = only(lambda change: route(change, 0).update(timeoutSeconds=240))

    assert found.path == "gateway.routes[0].timeoutSeconds"
    assert found.found == "240 s"
    assert "240 s, the longest generation of qwen3-32b" in found.accepted
    assert found.mend.startswith("write 270")


def test_a_certificate_of_acm_cannot_bear_long_silence() -> None:
    arn = "arn:aws:acm:us-east-2:444444444444:certificate/0"

    def edit(change: Change) -> None:
        change["gateway"]["tls"] = {"certificateArn": arn}
        change["models"][0]["drain"]["shutdownTimeoutSeconds"] = 400

    assert {problem.path for problem in problems_of(edit)} == {
        "gateway.routes[0].timeoutSeconds", "gateway.routes[2].timeoutSeconds",
    }  # fmt: skip


@pytest.mark.parametrize(("index", "why"), [(1, "to 2 models"), (2, "to 2 models")], ids=["weights", "overflow"])
def test_a_picker_that_is_not_possible_says_why(index: int, why: str) -> None:
    found = only(lambda change: route(change, index).update(balance="endpoint-picker"))

    assert (found.path, found.found) == (f"gateway.routes[{index}].balance", f'"endpoint-picker" {why}')


def test_a_picker_cannot_read_an_engine_that_it_does_not_know() -> None:
    def edit(change: Change) -> None:
        change["models"][4].update(engine="tgi", engineOptions={"unconfirmed": "accept"})
        change["gateway"]["routes"].append(
            {"name": "tgi", "match": {"model": "phi-4-mini"}, "backends": [{"model": "phi-4-mini"}],
             "balance": "endpoint-picker"}
        )  # fmt: skip

    found = [item for item in problems_of(edit) if item.path == "gateway.routes[4].balance"]
    assert [item.found for item in found] == ['"endpoint-picker" for the engine tgi']


def test_two_models_may_take_what_the_other_refuses() -> None:
    """A request overflows once, so it comes to an end."""

    def edit(change: Change) -> None:
        change["gateway"]["routes"].append(
            {"name": "back", "match": {"model": "back"}, "backends": [{"model": "qwen3-8b"}],
             "overflow": "qwen3-32b", "limits": [{"requestsPerMinute": 60}]}
        )  # fmt: skip

    assert not [item for item in problems_of(edit) if item.path.endswith(".overflow")]


def test_a_model_does_not_overflow_into_itself() -> None:
    found = only(lambda change: route(change, 2).update(overflow=route(change, 2)["backends"][0]["model"]))

    assert (found.path, found.accepted) == ("gateway.routes[2].overflow", "another model")


def test_long_prompts_to_a_model_that_refuses_them_are_refused() -> None:
    found = only(lambda change: route(change, 1)["longContext"].update(model="phi-4-mini"))

    assert found.path == "gateway.routes[1].longContext.aboveTokens"
    assert "16384" in found.accepted


def test_a_path_to_several_models_is_refused() -> None:
    found = only(lambda change: route(change, 3).update(overflow="qwen3-8b-next"))

    assert found.path == "gateway.routes[3].match.path"


def test_an_unknown_class_is_named_with_the_nearest() -> None:
    found = only(lambda change: route(change, 0)["limits"][0].update(clientClass="interactiv"))

    assert found.mend == 'did you mean "interactive"?'


def test_an_unknown_class_of_long_prompts_is_named_too() -> None:
    change = raw()
    route(change, 1)["longContext"]["limits"] = [
        {"clientClass": "interactiv", "requestsPerMinute": 60},
        {"requestsPerMinute": 60},
    ]

    found = {problem.path: problem.mend for problem in problems(change)}

    assert found["gateway.routes[1].longContext.limits[0].clientClass"] == 'did you mean "interactive"?'


@pytest.mark.parametrize(
    ("asked_for", "generation", "mend"),
    [
        (9000, 90, "write 5990"),
        (None, 5985, "write 5990"),
        (9000, 6000, "serve generations of less than 5990 s: lower drain.shutdownTimeoutSeconds of phi-4-mini"),
    ],
)
def test_a_time_out_that_the_load_balancer_does_not_bear_is_told_the_longest(
    asked_for: int | None, generation: int, mend: str
) -> None:
    change = raw()
    (model,) = (item for item in change["models"] if item["name"] == "phi-4-mini")
    model["drain"] = {"shutdownTimeoutSeconds": generation}
    way = {"name": "only", "match": {"model": "phi-4-mini"}, "backends": [{"model": "phi-4-mini"}]}
    change["gateway"]["routes"] = [{**way, **({"timeoutSeconds": asked_for} if asked_for else {})}]

    found = {problem.path: problem.mend for problem in problems(change)}

    assert found["gateway.routes[0].timeoutSeconds"] == mend


def test_an_idle_time_out_shorter_than_the_longest_generation_is_refused() -> None:
    found = only(lambda change: change["models"][4]["expose"].update(idleSeconds=60))

    assert (found.path, found.mend) == ("models[4].expose.idleSeconds", "write 91")


@given(st.lists(st.integers(1, 7000), min_size=1), st.none() | st.integers(1, 7000))
def test_a_default_time_out_is_always_long_enough(generations: list[int], asked_for: int | None) -> None:
    waits = patience(generations, asked_for)

    assert patience(generations).is_long_enough
    assert waits.is_long_enough == (asked_for is None or asked_for > max(generations))
    assert waits.load_balancer_idle_seconds > waits.stream_idle_seconds > waits.request_seconds
