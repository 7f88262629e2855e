"""Who shares limits at the gateway, and how much of a route they may ask for."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from infra.planning.routes import LONGEST_SELECTOR, client_pattern
from infra.settings.values import DnsLabel, Positive, Settings, invalid, matching

HeaderValue = Annotated[str, AfterValidator(matching(r"[A-Za-z0-9._:/-]{1,256}", "letters, digits and . _ : / -"))]


class ClientClass(Settings):
    """Clients that share limits."""

    name: DnsLabel
    """Name of the class; routes name it."""
    clients: tuple[HeaderValue, ...] = Field(min_length=1)
    """Names of clients: keys of the Secret with API keys, or values of the token's claim. In one class each."""

    @model_validator(mode="after")
    def _one_selector(self) -> Self:
        length = len(client_pattern(self.clients))
        if length > LONGEST_SELECTOR:
            raise invalid(
                f"clients whose names take {LONGEST_SELECTOR} characters together, with one between two; these"
                f" {len(self.clients)} take {length}: Envoy Gateway selects the clients of one limit by one expression",
                "leave the largest class out and give its limit without clientClass, which is for all other clients;"
                " or let the token name the class (authentication.jwt.clientClaim)",
            )
        return self


class Limit(Settings):
    """What the clients of one class, or all that no other limit of the route names, may ask of a route together."""

    client_class: DnsLabel | None = None
    """A class under gateway.classes. None: the clients of every class that this route's limits do not name, and those
    of no class, together; a route whose limits name classes has one such limit, or they would have none."""
    requests_per_minute: Positive | None = None
    """Requests. Counted by each Envoy for itself unless gateway.rateLimitStore is given: see docs/gateway.md."""
    tokens_per_minute: Positive | None = None
    """Tokens of prompt and answer together; needs gateway.rateLimitStore."""

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            raise invalid("requestsPerMinute, tokensPerMinute or both", "give one, or remove the limit")
        return self
