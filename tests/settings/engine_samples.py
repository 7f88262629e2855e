"""Settings with one model whose engine is told something, for the tests of what the settings say of engines."""

import copy
from typing import Any

import pytest

from infra.errors import InputError, Problem
from infra.settings import parse_settings

Raw = dict[str, Any]

BASE: Raw = {
    "target": "eks",
    "tags": {"owner": "ml-platform", "cost-center": "research"},
    "aws": {"accountId": "111111111111", "region": "us-west-2"},
    "network": {"cidr": "10.16.0.0/16", "zones": ["usw2-az1", "usw2-az2"]},
    "cluster": {
        "name": "gpu-test",
        "access": [{"name": "team", "principalArn": "arn:aws:iam::111111111111:role/team", "access": "cluster-admin"}],
    },
    "cpuPool": {"limits": {"cpu": 64, "memoryGib": 256}},
    "nodePools": [
        {
            "name": "l4",
            "purpose": "inference",
            "instanceTypes": ["g6.2xlarge", "g6.12xlarge"],
            "capacityTypes": ["on-demand"],
            "limits": {"gpus": 32, "nodes": 16},
        },
        {
            "name": "t4",
            "purpose": "inference",
            "instanceTypes": ["g4dn.2xlarge"],
            "capacityTypes": ["on-demand"],
            "limits": {"gpus": 16, "nodes": 16},
        },
    ],
}
CUSTOM = {"port": 9000, "startPath": "/a", "readyPath": "/b", "livePath": "/c"}
MIXTURE = "Qwen/Qwen3-30B-A3B"
OWN_IMAGE = "registry.example/own:1.0"
INSIST = {"unconfirmed": "accept"}


def raw(options: Raw | None = None, **values: Any) -> Raw:
    """Settings with one model that has these engine options and other values."""
    model = {"name": "qwen", "model": "Qwen/Qwen3-8B", "traffic": "interactive", "nodePools": ["l4"], **values}
    if options is not None:
        model["engineOptions"] = options
    return {**copy.deepcopy(BASE), "models": [model], **({"storage": values["storage"]} if "storage" in values else {})}


def stored(data: Raw, **store: Any) -> Raw:
    """The settings with a store that the model loads from."""
    data["storage"] = {"weights": [{"name": "store", **store}]}
    data["models"][0] |= {"weights": "store", "revision": "0" * 40}
    return data


def only(data: Raw) -> Problem:
    """The one problem of the settings."""
    with pytest.raises(InputError) as caught:
        parse_settings(data)
    (problem,) = caught.value.problems
    return problem


def refused(place: str, data: Raw) -> Problem:
    problem = only(data)
    assert problem.path == f"models[0].{place}"
    return problem
