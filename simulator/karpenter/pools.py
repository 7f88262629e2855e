"""Whether Karpenter takes a NodePool."""

from collections.abc import Collection

from infra.errors import PlatformError
from simulator.client import Client, Json, wait_for

_PATH = "/apis/karpenter.sh/v1/nodepools"
# The controller reads caches and instance types first: two seconds on an idle machine.
_READY_SECONDS = 60.0


def await_pools(client: Client, names: Collection[str]) -> None:
    """Wait until the controller has judged each of the pools and takes it.

    Raises:
        PlatformError: naming a pool that it does not take, with its reason.
    """
    if not wait_for(lambda: not _late(client, names), _READY_SECONDS):
        late = _late(client, names)[0]
        reasons = [item for item in _conditions(late) if item["status"] == "False" and item.get("message")]
        said = "; ".join(item["message"] for item in reasons) or "it says nothing"
        raise PlatformError(
            f"Karpenter does not take NodePool {late['metadata']['name']}: {said}",
            "correct the pool; what the controller does is in karpenter-kwok.log in the environment's logs",
        )


def _late(client: Client, names: Collection[str]) -> list[Json]:
    return [item for item in client.items(_PATH) if item["metadata"]["name"] in names and not _is_ready(item)]


def _is_ready(pool: Json) -> bool:
    return any(item["type"] == "Ready" and item["status"] == "True" for item in _conditions(pool))


def _conditions(pool: Json) -> list[Json]:
    conditions: list[Json] = (pool.get("status") or {}).get("conditions") or []
    return conditions
