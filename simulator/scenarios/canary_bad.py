"""A new version that is slow for one request in ten is found in its first step, and all traffic goes back."""

from simulator.scenarios.canary import (
    CANARY,
    STEADY,
    await_end,
    await_share,
    events_of,
    prepare,
    script,
    share_of_canary,
    state_of,
    versions,
)
from simulator.scenarios.observing import Observations
from simulator.scenarios.scenario import Scenario
from simulator.throwaway import Throwaway

# One request in ten takes twelve times as long a token: 432 ms in place of 36. The mean doubles, the p99 is twelvefold.
_SLOW = ("--stand-in-slow-share=0.1", "--stand-in-slow-factor=12")
_ROLLED_BACK = 3
_STAYS_SECONDS = 1.0


def _story(environment: Throwaway, observations: Observations) -> None:
    client = environment.client
    with versions(environment, STEADY, *_SLOW) as traffic, script(environment, traffic.addresses) as running:
        running.start()
        await_share(client, 10, running, observations)
        state = await_end(running, client, observations)
        observations.saw(f"the canary answered {traffic.sent.get(CANARY, 0)} requests")
        observations.promise(
            f"the script ends with {_ROLLED_BACK} and the canary has no traffic",
            (running.ended(), state["phase"], share_of_canary(client)) == (_ROLLED_BACK, "rolled-back", 0),
            f"{running.ended()}, {state}; {running.log()}",
        )
        observations.promise(f"the reason: {state['reason']}", "TPOT p99" in state["reason"], state["reason"])
        running.start()
        await_end(running, client, observations)
        stays = observations.stays_away(lambda: share_of_canary(client) != 0, _STAYS_SECONDS)
        observations.promise(
            "another pod of the same Job changes nothing",
            stays and running.ended() == _ROLLED_BACK,
            f"{running.ended()}, {state_of(client)}",
        )
    told = [event for event in events_of(client) if event["type"] == "Warning"]
    observations.promise(
        "one warning on the route says so",
        [event["reason"] for event in told] == ["CanaryRolledBack"],
        "; ".join(event["message"] for event in told),
    )


SCENARIO = Scenario(
    "canary-bad",
    "a version that is slow for one request in ten is rolled back at 10 %, with the reason on the route",
    _story,
    prepare,
    karpenter=False,
)
