"""The simple choice, a load balancer for one model: for known addresses, and as patient as the model is slow."""

import ipaddress
from collections.abc import Iterable, Iterator

from infra.errors import Problem
from infra.planning.routes import ALB_IDLE_LARGEST_SECONDS, NLB_IDLE_DEFAULT_SECONDS, NLB_IDLE_LARGEST_SECONDS
from infra.settings.checks.draft import Draft
from infra.settings.gateway import ExposeSettings
from infra.settings.gateway_routes import longest_generation

# More than this is no list of known addresses: half of the Internet, written in two ranges, would pass for one.
MOST_ADDRESSES = 2**24


def nothing_exposed_to_everybody(draft: Draft) -> Iterator[Problem]:
    """A load balancer asks for no key: outside the VPC it is for known addresses only, and TLS is its only secret."""
    for index, model in draft.models:
        exposed = model.expose
        if exposed is None:
            continue
        public = exposed.scheme == "internet-facing"
        covered = addresses(exposed.source_ranges)
        if public and (not covered or covered > MOST_ADDRESSES):
            yield Problem(
                f"models[{index}].expose." + ("sourceRanges" if covered else "scheme"),
                f"{covered:,} addresses together, without authentication"
                if covered
                else '"internet-facing" for every address, without authentication',
                f"sourceRanges with known addresses, at most {MOST_ADDRESSES:,} (a /8): a load balancer asks for no"
                " key, and an engine's own key does not cover every path",
                "write scheme: internal, name sourceRanges, or use a gateway with authentication",
            )
        if exposed.certificate_arn is None and (public or draft.stage == "production"):
            yield Problem(
                f"models[{index}].expose.certificateArn",
                "none, " + ("with an internet-facing load balancer" if public else "in production"),
                "a certificate: prompts and answers would travel in clear",
                "add certificateArn, or use a gateway with tls",
            )


def addresses(ranges: Iterable[str]) -> int:
    """How many addresses the ranges cover together."""
    return sum(network.num_addresses for network in ipaddress.collapse_addresses(map(ipaddress.IPv4Network, ranges)))


def exposure_waits_long_enough(draft: Draft) -> Iterator[Problem]:
    """An answer without streaming is silent until it is whole; the load balancer must bear that silence."""
    for index, model in draft.models:
        if model.expose is None:
            continue
        longest, largest = longest_generation(model), largest_idle_seconds(model.expose)
        idle = model.expose.idle_seconds
        if longest >= largest or (idle is not None and not longest < idle <= largest):
            yield Problem(
                f"models[{index}].expose.idleSeconds",
                f"{idle} s" if idle else "none",
                f"more than {longest} s, the longest generation of {model.name} (drain.shutdownTimeoutSeconds), and at"
                f" most {largest} s, the largest of this load balancer",
                f"write {longest + 1}" if longest < largest else f"serve generations of less than {largest} s",
            )


def largest_idle_seconds(exposed: ExposeSettings) -> int:
    """The longest silence that the load balancer can be told to bear; a TLS listener of an NLB cannot be told."""
    if exposed.kind == "Ingress":
        return ALB_IDLE_LARGEST_SECONDS
    return NLB_IDLE_DEFAULT_SECONDS if exposed.certificate_arn else NLB_IDLE_LARGEST_SECONDS
