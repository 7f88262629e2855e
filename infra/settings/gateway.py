"""The way in: one gateway before all models with explicit routes, or one load balancer a model as the simple choice."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StrictFloat, model_validator

from infra.planning.routes import CREDENTIAL_HEADERS, DEFAULT_PATHS, GATEWAY_PATHS, OWN_HEADERS, OWN_PREFIXES
from infra.settings.gateway_access import AuthenticationSettings
from infra.settings.gateway_limits import ClientClass, HeaderValue, Limit
from infra.settings.values import (
    Cidr,
    DnsLabel,
    ObjectName,
    Positive,
    Settings,
    Weight,
    did_you_mean,
    invalid,
    matching,
)

Scheme = Literal["internal", "internet-facing"]
Balance = Literal["endpoint-picker", "service"]


def _check_path(text: str) -> str:
    if text not in GATEWAY_PATHS:
        raise invalid(
            f"a path of the API that the gateway can read: {', '.join(GATEWAY_PATHS)}",
            did_you_mean(text, GATEWAY_PATHS, "remove it: what is not listed is refused with 404"),
        )
    return text


def _check_header(name: str) -> str:
    if name in OWN_HEADERS or name.startswith(OWN_PREFIXES):
        taken = ", ".join([*OWN_HEADERS, *(f"{prefix}*" for prefix in OWN_PREFIXES)])
        raise invalid(f"a header that clients send: the gateway takes away {taken}", "choose another name")
    if name in CREDENTIAL_HEADERS:
        raise invalid(
            "a header that is no secret: settings are read by many, and who a client is belongs to gateway.classes",
            "match another header, or give the route limits with a class",
        )
    return name


HostName = Annotated[
    str,
    AfterValidator(
        matching(
            r"(\*\.)?([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]*[a-z0-9])?",
            "a host name in lower case, such as models.example.com",
        )
    ),
]
HeaderName = Annotated[
    str,
    AfterValidator(matching(r"[a-z0-9-]{1,64}", "a header in lower case, such as x-tier")),
    AfterValidator(_check_header),
]
RoutePrefix = Annotated[
    str,
    AfterValidator(
        matching(r"/[a-z0-9][a-z0-9-]{0,62}", "one segment, such as /batch; the API's own path comes after it")
    ),
]
Address = Annotated[
    str, AfterValidator(matching(r"[a-z0-9.-]+:[0-9]{2,5}", "host:port, such as valkey.cache.svc:6379"))
]
CertificateArn = Annotated[
    str,
    AfterValidator(
        matching(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/\S+", "the ARN of a certificate in ACM")
    ),
]
ModelAlias = Annotated[
    str, AfterValidator(matching(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}", "a model's name as clients write it"))
]


class Issuer(Settings):
    """Who signs the certificate: an issuer of cert-manager that is there."""

    name: DnsLabel
    """Name of the issuer."""
    kind: Literal["ClusterIssuer", "Issuer"] = "ClusterIssuer"
    """An Issuer must be in the gateway's namespace."""


class TlsSettings(Settings):
    """Where the certificate comes from: one of three. TLS ends in Envoy, with an ACM certificate in the NLB."""

    issuer: Issuer | None = None
    """cert-manager asks this issuer for it and renews it."""
    secret: DnsLabel | None = None
    """A Secret of type kubernetes.io/tls in the gateway's namespace, kept by somebody else."""
    certificate_arn: CertificateArn | None = None
    """A certificate in ACM; from the NLB to Envoy the traffic is then plain HTTP inside the VPC."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.issuer, self.secret, self.certificate_arn)) != 1:
            raise invalid("one of issuer, secret and certificateArn", "keep one of them")
        return self


class RouteMatch(Settings):
    """Which requests take a route; all that is given must hold."""

    model: ModelAlias | None = None
    """`model` in the request's body."""
    headers: dict[HeaderName, HeaderValue] = {}
    """Headers with exactly these values."""
    path: RoutePrefix | None = None
    """Prefix before the API's path: /batch makes /batch/v1/chat/completions. Not together with model."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.path and self.model:
            raise invalid(
                "path or model: a route by path does not read the body",
                "remove model, or match a header instead of path",
            )
        if not (self.model or self.headers or self.path):
            raise invalid("at least one of model, headers and path: a route says what it takes", "add one")
        return self


class RouteBackend(Settings):
    """Where a route leads."""

    model: ObjectName
    """Name of a model under models."""
    weight: Weight = 100
    """Share of the requests in percent; the backends of a route sum to 100."""


class LongContext(Settings):
    """Requests with long prompts go elsewhere. A gateway counts no tokens: the client says so by header."""

    above_tokens: Positive
    """Prompts longer than this belong there; the route's own models refuse them where maxModelLen is shorter."""
    model: ObjectName
    """The model that takes them."""
    header: HeaderName = "x-context-length"
    """Header that clients set to `long`."""
    limits: tuple[Limit, ...] = Field(default=(), max_length=8)
    """Limits of long prompts, counted apart from those of the route; required where that has some."""


class RouteSettings(Settings):
    """One way to a model variant."""

    name: ObjectName
    """Name of the route."""
    match: RouteMatch
    """Which requests."""
    backends: tuple[RouteBackend, ...] = Field(min_length=1)
    """Where they go."""
    balance: Balance | None = None
    """endpoint-picker: by queue, KV cache and prefix of each replica. service: by Envoy, the replica with the fewest
    requests. Default: the picker where it is possible."""
    timeout_seconds: Positive | None = None
    """Longest time for a whole request. Default: the longest generation of its models and 30 s."""
    concurrent: Positive | None = None
    """Requests at once to all backends together, counted by each Envoy for itself; more get 503. Default: 1024."""
    limits: tuple[Limit, ...] = Field(default=(), max_length=8)
    """Limits by class, of this route alone: another one to the same models has limits of its own."""
    overflow: ObjectName | None = None
    """A smaller model that takes requests which the first refuses before it begins them (429, 503, no connection)."""
    long_context: LongContext | None = None
    """Where long prompts go."""


class EndpointPickerSettings(Settings):
    """llm-d's endpoint picker, one for each model that is reached through it."""

    replicas: Positive = 2
    """One picks, the others wait: the gateway refuses requests while none picks (it ignores failureMode)."""
    queue_depth_threshold: Positive = 5
    """Waiting requests of a replica above which it counts as full. Default: the picker's own (llm-d-router v0.9.0)."""
    kv_cache_threshold: Annotated[StrictFloat, Field(gt=0, le=1)] = 0.8
    """Share of the KV cache above which a replica counts as full. Default: the picker's own."""
    cpu: Positive = 1
    """CPU request in cores. Default: what KServe 0.20.0 asks for the same picker; its own chart asks for 8."""
    memory_gib: Positive = 2
    """Memory request and limit in GiB. Default: as KServe's request."""


class GatewaySettings(Settings):
    """Envoy with Envoy AI Gateway before the models. Private unless it says otherwise."""

    scheme: Scheme = "internal"
    """internal: only from the VPC and what is connected to it. internet-facing needs authentication and TLS."""
    source_ranges: tuple[Cidr, ...] = ()
    """Addresses that may connect; none means all that can reach the load balancer."""
    host_names: tuple[HostName, ...] = ()
    """Names that clients call it by; none means any."""
    tls: TlsSettings | None = None
    """Certificate; none means plain HTTP, only inside the VPC and not in production."""
    authentication: AuthenticationSettings | None = None
    """Who may ask."""
    paths: tuple[Annotated[str, AfterValidator(_check_path)], ...] = Field(default=DEFAULT_PATHS, min_length=1)
    """Paths that pass; every other one is answered with 404."""
    replicas: Annotated[Positive, Field(ge=2)] = 2
    """Envoys; two at least, in two zones where there are two."""
    classes: tuple[ClientClass, ...] = ()
    """Clients that share limits; need authentication."""
    rate_limit_store: Address | None = None
    """A Redis or Valkey that all Envoys count in; the program does not make it. Default: each Envoy counts alone."""
    endpoint_picker: EndpointPickerSettings = EndpointPickerSettings()
    """The endpoint picker."""
    routes: tuple[RouteSettings, ...] = Field(min_length=1)
    """Ways to models."""

    @model_validator(mode="after")
    def _named_certificate(self) -> Self:
        if self.tls and self.tls.issuer and not self.host_names:
            raise invalid("hostNames beside tls.issuer: a certificate is for names", "add hostNames")
        return self


class ExposeSettings(Settings):
    """The simple choice: a load balancer for one model. It has no keys, no limits and no retries to switch off."""

    kind: Literal["LoadBalancer", "Ingress"]
    """LoadBalancer: a Network Load Balancer, which sees no paths: every path of the engine can be called. Ingress: an
    Application Load Balancer that passes the listed paths only."""
    scheme: Scheme = "internal"
    """internal, or internet-facing with sourceRanges."""
    source_ranges: tuple[Cidr, ...] = ()
    """Addresses that may connect."""
    host_name: HostName | None = None
    """Host of an Ingress."""
    certificate_arn: CertificateArn | None = None
    """Certificate in ACM; none means plain HTTP."""
    paths: tuple[Annotated[str, AfterValidator(_check_path)], ...] = Field(default=DEFAULT_PATHS, min_length=1)
    """Paths that an Ingress passes; a LoadBalancer cannot tell them apart."""
    idle_seconds: Positive | None = None
    """Longest silence of a connection. Default: the longest generation and a margin."""
