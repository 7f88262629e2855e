"""Who may use the gateway: clients with a key each, or with a token."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from infra.settings.values import DnsLabel, Flag, Settings, invalid, matching

Url = Annotated[str, AfterValidator(matching(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/\S*)?", "a URL with https"))]


class ExternalKeys(Settings):
    """API keys in a store that the External Secrets operator reads."""

    store: DnsLabel
    """Name of the SecretStore or ClusterSecretStore."""
    store_kind: Literal["ClusterSecretStore", "SecretStore"] = "ClusterSecretStore"
    """Kind of the store."""
    remote_key: Annotated[str, AfterValidator(matching(r"\S{1,512}", "the key in the store"))]
    """Where the store has them: a JSON object of client to key."""


class ApiKeySettings(Settings):
    """One key a client. The Secret's keys are the clients' names, its values their API keys."""

    secret: DnsLabel = "gateway-api-keys"  # noqa: S105, a Secret's name
    """Name of the Secret in the gateway's namespace."""
    external: ExternalKeys | None = None
    """Where it is filled from, by the External Secrets operator."""
    pulumi_secret: Flag = False
    """Whether it is made from the Pulumi secret gpu-platform:gatewayApiKeys, a JSON object of client to key, or a key
    of the configuration for each client. Without this and `external`, somebody else makes the Secret."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.external and self.pulumi_secret:
            raise invalid("one of external and pulumiSecret", "keep the one that has the keys")
        return self


class JwtSettings(Settings):
    """Tokens of an OpenID Connect provider."""

    issuer: Url
    """`iss` of the tokens."""
    audiences: tuple[str, ...] = Field(min_length=1)
    """Accepted `aud`; without one a token for any other service would do."""
    jwks_uri: Url
    """Where the provider publishes its keys."""
    client_claim: Annotated[str, AfterValidator(matching(r"[A-Za-z0-9_.-]{1,64}", "a claim's name"))] = "sub"
    """Claim that names the client, for limits."""


class AuthenticationSettings(Settings):
    """Who may ask: holders of a key, or of a token."""

    api_keys: ApiKeySettings | None = None
    """A key in `Authorization: Bearer` or `x-api-key`."""
    jwt: JwtSettings | None = None
    """A token in `Authorization: Bearer`."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.api_keys is None) == (self.jwt is None):
            raise invalid("one of apiKeys and jwt", "keep one of them, or remove authentication")
        return self
