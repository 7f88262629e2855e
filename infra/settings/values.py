"""The kinds of value that settings are made of, each a named type with its own clear error.

A validator raises through `invalid`, which carries what is accepted and how to mend it to the report.
"""

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from infra.catalog.instances import gpu_instance_types, gpu_names, instance_types_with
from infra.conventions import FABRIC_LABEL, PURPOSE_LABEL

NEAREST_CUTOFF = 0.6  # difflib's own default similarity


class Settings(BaseModel):
    """Base of every settings class: frozen, no unknown keys, camelCase in YAML."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )


def invalid(accepted: str, mend: str) -> PydanticCustomError:
    """The error of a value that is not accepted, for `loading` to turn into a Problem."""
    return PydanticCustomError("not_accepted", "{accepted}", {"accepted": accepted, "mend": mend})


def nearest(found: str, accepted: Iterable[str]) -> str:
    """The accepted word closest in spelling to `found`, empty when none is close."""
    close = difflib.get_close_matches(found.lower(), list(accepted), n=1, cutoff=NEAREST_CUTOFF)
    return close[0] if close else ""


def did_you_mean(found: str, accepted: Iterable[str], otherwise: str) -> str:
    """How to mend a word that is not known: the nearest spelling, or `otherwise` when none is close."""
    close = nearest(found, accepted)
    return f'did you mean "{close}"?' if close else otherwise


def matching(pattern: str, accepted: str) -> Callable[[str], str]:
    """A check that the whole text matches `pattern`; `accepted` says so for people, with an example."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise invalid(accepted, "write it in that form")
        return text

    return check


# --- names -----------------------------------------------------------------------------------------------------------

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def _dns_name(limit: int, too_long: str) -> Callable[[str], str]:
    """A check of a DNS label of at most `limit` characters; `too_long` says why there is a limit."""

    def check(text: str) -> str:
        if not _DNS_LABEL.fullmatch(text):
            suggestion = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:limit].strip("-") or "my-name"
            raise invalid(
                f"lower-case letters, digits and '-', at most {limit} characters, starting and ending with a letter or"
                " digit",
                f'write "{suggestion}"',
            )
        if len(text) > limit:
            raise invalid(
                f"at most {limit} characters, because {too_long}", f"shorten it by {len(text) - limit} characters"
            )
        return text

    return check


# A Deployment's pod is <name>-<hash of 10>-<5>: 63 - 17 = 46 characters remain for the name.
OBJECT_NAME_LIMIT = 46


def _check_label_key(text: str) -> str:
    prefix, _, name = text.rpartition("/")
    if (
        len(name) > 63
        or not _QUALIFIED_NAME.fullmatch(name)
        or ("/" in text and (len(prefix) > 253 or not _DNS_SUBDOMAIN.fullmatch(prefix)))
    ):
        raise invalid(
            "a Kubernetes label key: an optional DNS prefix and '/', then at most 63 letters, digits, '-', '_' or '.'",
            "remove the characters that are not allowed",
        )
    return text


def _check_label_value(text: str) -> str:
    if text and (len(text) > 63 or not _QUALIFIED_NAME.fullmatch(text)):
        suggestion = re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:63].strip("-_.")
        raise invalid(
            "a Kubernetes label value: at most 63 letters, digits, '-', '_' or '.', starting and ending with a letter"
            " or digit",
            f'write "{suggestion}"' if suggestion else "leave it empty",
        )
    return text


DnsLabel = Annotated[str, AfterValidator(_dns_name(63, "a DNS label has no more"))]
ObjectName = Annotated[
    str, AfterValidator(_dns_name(OBJECT_NAME_LIMIT, "names of pods and other objects are derived from it"))
]
LabelKey = Annotated[str, AfterValidator(_check_label_key)]
LabelValue = Annotated[str, AfterValidator(_check_label_value)]
Labels = dict[LabelKey, LabelValue]


def _check_own_label(text: str) -> str:
    prefix = text.rpartition("/")[0]
    ours = (PURPOSE_LABEL, FABRIC_LABEL)
    if text in ours or prefix in ("karpenter.sh", "karpenter.k8s.aws", "kubernetes.io", "k8s.io"):
        raise invalid("a label of your own; this one is set by the platform, Karpenter or Kubernetes", "rename it")
    return text


OwnLabels = dict[Annotated[LabelKey, AfterValidator(_check_own_label)], LabelValue]

# --- numbers and flags: no silent conversion of "8" or 8.0 ------------------------------------------------------------

Flag = StrictBool
LARGEST = 2**31 - 1  # Kubernetes counts in 32 bits
Count = Annotated[StrictInt, Field(ge=0, le=LARGEST)]
Positive = Annotated[StrictInt, Field(ge=1, le=LARGEST)]
Weight = Annotated[StrictInt, Field(ge=1, le=100)]

# Days CloudWatch Logs can keep a log group; it refuses any other number. Source: its API, PutRetentionPolicy.
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip


def _check_retention(days: int) -> int:
    if days not in RETENTION_DAYS:
        longer = next((known for known in RETENTION_DAYS if known > days), RETENTION_DAYS[-1])
        raise invalid(
            f"a number of days that CloudWatch Logs knows: {', '.join(map(str, RETENTION_DAYS))}", f"write {longer}"
        )
    return days


LogRetentionDays = Annotated[Positive, AfterValidator(_check_retention)]

# --- time -------------------------------------------------------------------------------------------------------------

_DURATION = re.compile(r"([0-9]{1,7}(s|m|h)){1,3}")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def _check_duration(text: str) -> str:
    if not _DURATION.fullmatch(text):
        raise invalid(
            "a duration in hours, minutes and seconds as Karpenter writes it, such as 30m, 1h30m or 336h",
            f'write "{int(text[:-1]) * 24}h"' if re.fullmatch(r"[0-9]{1,4}d", text) else 'write it like "30m"',
        )
    return text


def _check_duration_or_never(text: str) -> str:
    return text if text == "Never" else _check_duration(text)


def duration_seconds(text: str) -> int:
    """Seconds of a Karpenter duration such as `1h30m`."""
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([smh])", text))


Duration = Annotated[str, AfterValidator(_check_duration)]
DurationOrNever = Annotated[str, AfterValidator(_check_duration_or_never)]

# --- network ----------------------------------------------------------------------------------------------------------


def _check_cidr(text: str) -> str:
    accepted = "an IPv4 network in CIDR form, such as 10.0.0.0/16"
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError:
        pass
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        raise invalid(accepted, "write the network address, a slash and the prefix length") from None
    raise invalid(accepted + ", with no bits set beyond the prefix", f'write "{network}"')


Cidr = Annotated[str, AfterValidator(_check_cidr)]

# --- AWS and its catalogue --------------------------------------------------------------------------------------------


def _check_account(text: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", text):
        raise invalid("an AWS account id: 12 digits", "quote it, so that YAML keeps leading zeros")
    return text


def _check_instance_type(text: str) -> str:
    known = gpu_instance_types()
    if text not in known:
        raise invalid(
            f"a GPU instance type of the catalogue ({len(known)} known)",
            did_you_mean(text, known, "see infra/catalog/data/gpu_instances.csv"),
        )
    if known[text].is_fractional:
        raise invalid(
            "an instance type with whole GPUs; this one holds a slice that Karpenter does not see as nvidia.com/gpu",
            f'write "{instance_types_with(known[text].gpu)[0].name}"',
        )
    return text


def _check_gpu(text: str) -> str:
    if text not in gpu_names():
        raise invalid(
            f"a GPU name as Karpenter labels it: {', '.join(gpu_names())}",
            did_you_mean(text, gpu_names(), "choose one of these"),
        )
    return text


def _check_reservation(text: str) -> str:
    if not re.fullmatch(r"cr-[0-9a-z]+", text):
        raise invalid("the id of an EC2 capacity reservation, such as cr-0123456789abcdef0", "copy it from EC2")
    return text


def _check_ami_alias(text: str) -> str:
    if text.endswith("@latest"):
        raise invalid(
            "a pinned AMI alias, such as al2023@v20260714",
            "pin a release: with @latest every AMI release replaces the whole fleet",
        )
    if not re.fullmatch(r"al2023@v[0-9]{8}", text):
        raise invalid("an AMI alias of AL2023 with its release, such as al2023@v20260714", "write al2023@v<date>")
    return text


ZoneId = Annotated[
    str,
    AfterValidator(matching(r"[a-z]+[0-9]*-az[0-9]+", "a zone id such as use2-az1, not a letter such as us-east-2a")),
]
AccountId = Annotated[str, AfterValidator(_check_account)]
InstanceType = Annotated[str, AfterValidator(_check_instance_type)]
GpuName = Annotated[str, AfterValidator(_check_gpu)]
ReservationId = Annotated[str, AfterValidator(_check_reservation)]
AmiAlias = Annotated[str, AfterValidator(_check_ami_alias)]


def is_commit(text: str) -> bool:
    """Whether it names one commit: 40 hexadecimal digits. A branch or a tag may move."""
    return bool(re.fullmatch(r"[0-9a-f]{40}", text))
