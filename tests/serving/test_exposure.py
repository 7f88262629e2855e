"""The simple choice is for known addresses, and over TLS where it leaves the VPC or serves production."""

from typing import Any

import pytest

from infra.errors import InputError, Problem
from tests.serving.gateway_example import raw, settings_of

ARN = "arn:aws:acm:us-east-2:444444444444:certificate/0"


def problems(expose: dict[str, Any], stage: str = "staging") -> list[Problem]:
    change = raw()
    change["stage"] = stage
    change["models"][4]["expose"] = expose
    try:
        settings_of(change)
    except InputError as error:
        return [item for item in error.problems if item.path.startswith("models[4].expose")]
    return []


def public(*ranges: str, **more: Any) -> dict[str, Any]:
    found = {"kind": "LoadBalancer", "scheme": "internet-facing", "sourceRanges": list(ranges), "certificateArn": ARN}
    return {**found, **more}


@pytest.mark.parametrize(
    ("ranges", "covered"),
    [
        (["0.0.0.0/0"], "4,294,967,296"),
        (["0.0.0.0/1", "128.0.0.0/1"], "4,294,967,296"),
        (["8.0.0.0/8", "9.0.0.0/24"], "16,777,472"),
        (["8.0.0.0/9", "8.128.0.0/9", "8.0.0.0/8", "9.9.9.9/32"], "16,777,217"),
    ],
)
def test_ranges_that_together_are_most_of_the_internet_are_refused(ranges: list[str], covered: str) -> None:
    (found,) = problems(public(*ranges))

    assert found.path == "models[4].expose.sourceRanges"
    assert found.found == f"{covered} addresses together, without authentication"


def test_a_load_balancer_for_every_address_is_refused() -> None:
    (found,) = problems(public())

    assert (found.path, "without authentication" in found.found) == ("models[4].expose.scheme", True)


@pytest.mark.parametrize("ranges", [["198.51.100.0/24"], ["8.0.0.0/8"], ["8.0.0.0/8", "8.1.0.0/16"]])
def test_known_addresses_over_tls_are_accepted(ranges: list[str]) -> None:
    assert problems(public(*ranges)) == []


@pytest.mark.parametrize("kind", ["LoadBalancer", "Ingress"])
def test_what_leaves_the_vpc_has_a_certificate(kind: str) -> None:
    expose = public("198.51.100.0/24", kind=kind)
    del expose["certificateArn"]
    (found,) = problems(expose)

    assert found.path == "models[4].expose.certificateArn"
    assert found.found == "none, with an internet-facing load balancer"


def test_production_has_a_certificate_inside_the_vpc_too() -> None:
    (found,) = problems({"kind": "Ingress"}, "production")

    assert (found.path, found.found) == ("models[4].expose.certificateArn", "none, in production")
    assert problems({"kind": "Ingress", "certificateArn": ARN}, "production") == []
