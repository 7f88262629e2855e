"""What the gateway is told: who may use it, its routes, and the servers behind them."""

from typing import NotRequired, TypedDict

import pulumi


class CertificateIssuerArgs(TypedDict):
    """An issuer of cert-manager."""

    name: str
    """Its name."""
    kind: str
    """ClusterIssuer or Issuer."""


class GatewayTlsArgs(TypedDict):
    """Where the certificate comes from: one of the three."""

    issuer: NotRequired[CertificateIssuerArgs]
    """cert-manager makes it."""
    secret: NotRequired[str]
    """A Secret that is there."""
    certificate_arn: NotRequired[str]
    """ACM; TLS ends in the load balancer."""


class JwtArgs(TypedDict):
    """Whose tokens are accepted."""

    issuer: str
    """`iss`."""
    audiences: list[str]
    """`aud`, one of them."""
    jwks_uri: str
    """URL of the provider's keys."""
    client_claim: str
    """Claim that names the client."""


class ExternalKeysArgs(TypedDict):
    """Where External Secrets finds the API keys."""

    store: str
    """Name of the store."""
    store_kind: str
    """SecretStore or ClusterSecretStore."""
    remote_key: str
    """Key in the store: a JSON object of client to key."""


class AuthenticationArgs(TypedDict):
    """Who may ask: one of the two ways."""

    api_key_secret: NotRequired[str]
    """Secret with a key for each client."""
    external_keys: NotRequired[ExternalKeysArgs]
    """What fills that Secret from a store. Default: somebody else."""
    api_keys: NotRequired[pulumi.Input[str]]
    """What is in that Secret: a JSON object of client to key. Default: it is somebody else's."""
    jwt: NotRequired[JwtArgs]
    """Tokens."""


class RouteBackendArgs(TypedDict):
    """A model that a route leads to."""

    model: str
    """Name of the model."""
    asked_as: NotRequired[str]
    """Name that its servers are asked for: the model's, or that of an adapter. Default: the model's."""
    host: str
    """Host name that resolves to its servers."""
    port: int
    """Port of the servers."""
    service: str
    """Service of the model in the route's namespace, for routes by path."""
    service_port: int
    """Port of that Service."""
    weight: int
    """Share in percent."""
    priority: int
    """0, or 1 for the model that takes what the others refuse."""


class RouteLimitArgs(TypedDict):
    """What some clients may ask of a route."""

    clients: NotRequired[list[str]]
    """Whose requests count. Default: those of all clients that the route's other limits do not name."""
    requests_per_minute: NotRequired[int]
    """Requests."""
    tokens_per_minute: NotRequired[int]
    """Tokens of prompts and answers; only with a shared store."""


class GatewayRouteArgs(TypedDict):
    """One way to a model."""

    name: str
    """Name of the route."""
    namespace: str
    """Namespace of the route: that of the InferencePool, else the gateway's."""
    model: NotRequired[str]
    """Model's name in the request."""
    headers: dict[str, str]
    """Headers of the request."""
    path: NotRequired[str]
    """Prefix before the API's path."""
    pool: NotRequired[str]
    """InferencePool that picks. Default: Envoy balances over the backends."""
    backends: list[RouteBackendArgs]
    """Models."""
    request_seconds: int
    """Longest whole request in seconds."""
    concurrent: NotRequired[int]
    """Requests at once to all backends together from each proxy. Default: Envoy's 1024."""
    limits: list[RouteLimitArgs]
    """Limits."""


class ServersArgs(TypedDict):
    """The servers of a model that Envoy balances over."""

    model: str
    """Name of the model."""
    namespace: str
    """Their namespace."""
    selector: dict[str, str]
    """Labels of the pods that answer requests."""
    port: int
    """Their port."""


class InferenceGatewayArgs(TypedDict):
    """The way in. Lists are plain: they decide how many objects there are."""

    namespace: str
    """Namespace of the gateway."""
    scheme: str
    """internal or internet-facing."""
    source_ranges: list[str]
    """Addresses that may connect; empty: all that reach it."""
    host_names: list[str]
    """Names it is called by; empty: any."""
    tls: NotRequired[GatewayTlsArgs]
    """Certificate. Default: none, plain HTTP."""
    authentication: NotRequired[AuthenticationArgs]
    """Who may ask. Default: whoever reaches it."""
    paths: list[str]
    """Paths that pass."""
    replicas: int
    """Proxies."""
    shared_store: bool
    """Whether the operators have a store in which all proxies count."""
    routes: list[GatewayRouteArgs]
    """Ways to models."""
    route_namespaces: list[str]
    """Namespaces of the routes."""
    servers: list[ServersArgs]
    """Models that Envoy balances over by itself."""
    longest_request_seconds: int
    """Longest whole request of all routes in seconds."""
    idle_seconds: int
    """Longest silence that the load balancer bears, in seconds."""
