"""Controllers that do not run in the cluster of the engine tests, by what they would say in the end.

LeaderWorkerSet's runs there. KServe's and Knative's install kinds and a configuration that are the program's own here;
`tests/simulator/test_kserve.py` runs them.
"""

from simulator.client import Client, Json

# Condition that turns True, by kind.
_WHAT_THEY_SAY = {"InferenceService": "Ready", "KnativeServing": "Ready"}


def speak_for_the_absent(client: Client, live: Json) -> None:
    """Write the condition that an object's controller would write, where that controller does not run."""
    condition = _WHAT_THEY_SAY.get(live["kind"])
    if condition and not (live.get("status") or {}).get("conditions"):
        said = [{"type": condition, "status": "True", "reason": "StandIn", "message": "no controller runs here"}]
        client.merge(f"{client.path_of(live)}/status", {"status": {"conditions": said}})
