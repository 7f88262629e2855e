"""Waiting until Karpenter takes a NodePool."""

import time
from collections.abc import Collection
from typing import NoReturn

from infra.errors import PlatformError
from simulator.client import Client, Json, until

_PATH = "/apis/karpenter.sh/v1/nodepools"
# The controller reads caches and instance types first: two seconds on an idle machine.
_READY_SECONDS = 60.0


def await_pools(client: Client, names: Collection[str]) -> None:
    """Wait until the controller has judged each of the pools and takes it.

    Raises:
        PlatformError: naming a pool that it does not take, with its reason.
    """
    for _ in until(time.monotonic() + _READY_SECONDS):
        late = sorted(_late(client, names), key=lambda item: not _is_refused(item))
        if not late:
            return
        if _is_refused(late[0]):
            break
    _refuse(late[0])


def _refuse(pool: Json) -> NoReturn:
    reasons = [item for item in _conditions(pool) if item["status"] == "False" and item.get("message")]
    said = "; ".join(item["message"] for item in reasons) or "it says nothing"
    raise PlatformError(
        f"Karpenter does not take NodePool {pool['metadata']['name']}: {said}",
        "correct the pool; what the controller does is in karpenter-kwok.log in the environment's logs",
    )


def _late(client: Client, names: Collection[str]) -> list[Json]:
    return [item for item in client.items(_PATH) if item["metadata"]["name"] in names and not _is_ready(item)]


def _is_ready(pool: Json) -> bool:
    return any((item["type"], item["status"]) == ("Ready", "True") for item in _conditions(pool))


def _is_refused(pool: Json) -> bool:
    """Whether waiting is of no use: the pool itself is wrong."""
    return any((item["type"], item["status"]) == ("ValidationSucceeded", "False") for item in _conditions(pool))


def _conditions(pool: Json) -> list[Json]:
    conditions: list[Json] = (pool.get("status") or {}).get("conditions") or []
    return conditions
