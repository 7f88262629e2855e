"""A new version that is as good as the old one takes over step by step, also when its Job is lost on the way.

Both take 1.7 times as long for a token under all of the load as under half of it, and the limit is 1.4: only a
comparison at equal requests per server shows that they are the same.
"""

from simulator.client import Client
from simulator.scenarios.canary import (
    BY_LOAD,
    CANARY,
    ROUTE,
    STABLE,
    await_end,
    await_share,
    events_of,
    prepare,
    script,
    share_of_canary,
    shares,
    state_of,
    versions,
)
from simulator.scenarios.observing import Observations
from simulator.scenarios.scenario import Scenario
from simulator.throwaway import Throwaway

_TAKEN_OVER = 4


def _stack_without_it(client: Client) -> None:
    """What Pulumi applies by force when the canary is no more in the settings (`pulumi.com/patchForce`)."""
    route = client.get(ROUTE)
    (rule,) = route["spec"]["rules"]
    stable = [item for item in rule["backendRefs"] if item["name"] == f"chat-{STABLE}"]
    rules = [{**rule, "backendRefs": [{**stable[0], "weight": 100}]}]
    metadata = {key: route["metadata"][key] for key in ("name", "namespace")}
    kind = {key: route[key] for key in ("apiVersion", "kind")}
    client.apply({**kind, "metadata": metadata, "spec": {**route["spec"], "rules": rules}})


def _story(environment: Throwaway, observations: Observations) -> None:
    client = environment.client
    observations.promise(
        "the route leads to both versions, the canary without traffic",
        share_of_canary(client) == 0,
        f"{share_of_canary(client)} %",
    )
    with versions(environment, BY_LOAD) as traffic, script(environment, traffic.addresses) as running:
        running.start()
        await_share(client, 10, running, observations)
        await_share(client, 25, running, observations)
        running.kill()
        observations.saw("the Job's node is lost in the middle of the second step")
        observations.promise("the traffic stays where it was", share_of_canary(client) == 25, str(state_of(client)))
        before = traffic.sent[CANARY]
        running.start()
        for percent in (50, 100):
            await_share(client, percent, running, observations)
        observations.saw(f"a new pod went on with 25 %; the canary answered {traffic.sent[CANARY] - before} requests")
        state = await_end(running, client, observations)
        observations.promise(
            "the script ends with 0 and the canary keeps 100 % of the traffic",
            (running.ended(), state["phase"], share_of_canary(client)) == (0, "done", 100),
            f"{running.ended()}, {state}; {running.log()}",
        )
        answered = traffic.sent[STABLE]
        _stack_without_it(client)
        running.start()
        await_end(running, client, observations)
        observations.promise(
            "an update without the canary leads the route to the stable version alone, and a late pod leaves it so",
            (running.ended(), list(shares(client.get(ROUTE)))) == (_TAKEN_OVER, [f"chat-{STABLE}"]),
            f"{running.ended()}, {shares(client.get(ROUTE))}; {running.log()}",
        )
    passed = [event["message"] for event in events_of(client) if event["reason"] == "CanaryStepPassed"]
    observations.promise(
        "events on the route tell what each step found",
        [text.partition(" ")[0] for text in sorted(passed, key=lambda text: int(text.split()[0]))]
        == ["10", "25", "50", "100"],
        "; ".join(passed),
    )
    for text in passed:
        observations.saw(text)
    observations.promise("the stable version answered until the end of its share", answered > 0, str(answered))


SCENARIO = Scenario(
    "canary-good",
    "a version as good as the old one gets 10, 25, 50 and 100 % of the traffic, across the loss of its Job",
    _story,
    prepare,
    karpenter=False,
)
