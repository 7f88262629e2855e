"""What every IAM document of a plan must keep to, as a pure function over the plan."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.plan import Plan, PlannedResource, Value

Statement = dict[str, Any]

_SERVICES = ("aws:iam/", "aws:sqs/", "aws:kms/")
_INPUTS = ("assumeRolePolicy", "policy", "inlinePolicy", "inlinePolicies")

# Whole services, by Sid: `service:*`, and why.
WIDE_ACTIONS = {
    ("AccountManagesKey", "kms:*"): "a key policy must let the account's IAM govern the key, or nobody can delete it",
    ("DenyWithoutTls", "sqs:*"): "a Deny, which must be wide",
}

# Statements on every resource, by Sid, and why.
WIDE_RESOURCES = {
    # Karpenter; knowledge/aws.md 3.1
    "AllowZonalShiftStatusReadOnly": "bound to the cluster by arc-zonal-shift:ResourceIdentifier",
    "AllowRegionalReadActions": "EC2's Describe calls name no resource; bound to the region",
    "AllowPricingReadActions": "the public price list has no resources",
    "AllowUnscopedInstanceProfileListAction": "a list names none; EC2NodeClass finalizers hang without it",
    # AWS Load Balancer Controller
    "ReadNetworkAndLoadBalancers": "Describe calls name no resource; bound to the region",
    "ListCertificates": "a list names none; bound to the region",
    "ListServerCertificates": "a list names none",
    # Key policy: `*` is the key itself
    "AccountManagesKey": "a key policy's resource is the key",
    "LogsEncrypt": "a key policy's resource is the key",
    "Ec2UsesVolumesForThisAccount": "a key policy's resource is the key",
    "AutoScalingUsesVolumes": "a key policy's resource is the key",
    "AutoScalingGrantsVolumes": "a key policy's resource is the key",
}


@dataclass(frozen=True)
class IamDocument:
    """One document, and the resource and input it is in."""

    where: str
    kind: str
    statements: tuple[Statement, ...]


def iam_documents(plan: Plan) -> list[IamDocument]:
    """Every IAM document of the plan; one whose text only the cloud knows cannot be judged and is left out.

    Raises:
        ValueError: when an input that must be a document is not one.
    """
    return [document for resource in plan for document in _documents_of(resource)]


def unreadable_documents(plan: Plan) -> list[str]:
    """Inputs that hold a document which cannot be read, because it came from an output or is a secret."""
    return [
        f"{resource.name}.{key}"
        for resource in plan
        if resource.type_token.startswith(_SERVICES)
        for key in _INPUTS
        if key in resource.inputs and resource.inputs[key] is not None and not _texts(resource.inputs[key])
    ]


def faults(document: IamDocument) -> list[str]:
    """What is wrong with one document; empty when nothing is."""
    found = []
    for statement in document.statements:
        sid = statement.get("Sid", "")
        at = f"{document.where}: {sid or 'a statement without Sid'}"
        if not sid:
            found.append(f"{at} must have a Sid")
        if "NotAction" in statement or "NotResource" in statement:
            found.append(f"{at} says what is not meant; say what is")
        for action in _list(statement.get("Action")):
            if action == "*" or (action.endswith(":*") and (sid, action) not in WIDE_ACTIONS):
                found.append(f"{at} allows {action}")
        if "*" in _list(statement.get("Resource")) and sid not in WIDE_RESOURCES:
            found.append(f"{at} is on every resource")
        if document.kind == "assumeRolePolicy" and not (_names_a_service(statement) or _names_a_role(statement)):
            found.append(f"{at} trusts {json.dumps(statement.get('Principal'))}, not a service, nor one role of it")
    return found


def _documents_of(resource: PlannedResource) -> Iterator[IamDocument]:
    if not resource.type_token.startswith(_SERVICES):
        return
    for key in _INPUTS:
        for text in _texts(resource.inputs.get(key)):
            yield parse(text, f"{resource.name}.{key}", key)


def parse(text: str, where: str, kind: str = "policy") -> IamDocument:
    """A document from its JSON text."""
    statements = _list(json.loads(text)["Statement"])
    if not statements:
        raise ValueError(f"{where} has no statements")
    return IamDocument(where, kind, tuple(statements))


def _texts(value: Value) -> list[str]:
    """JSON texts in an input: the input itself, or the policies of a list of inline policies."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        return _texts(value.get("policy"))
    return []


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _names_a_service(statement: Statement) -> bool:
    principal = statement.get("Principal")
    if not isinstance(principal, dict) or set(principal) != {"Service"}:
        return False
    names = _list(principal["Service"])
    return bool(names) and all("." in name and "*" not in name for name in names)


def _names_a_role(statement: Statement) -> bool:
    """One role: the account is the principal, and a condition that the role must meet leaves no other of it."""
    principal = statement.get("Principal")
    named = str(principal.get("AWS")) if isinstance(principal, dict) and set(principal) == {"AWS"} else ""
    account = re.fullmatch(r"arn:aws[a-z-]*:iam::([0-9]{12}):root", named)
    roles = _list(statement.get("Condition", {}).get("ArnEquals", {}).get("aws:PrincipalArn"))
    of_account = rf"arn:aws[a-z-]*:iam::{account[1]}:role/[\w+=,.@-]+" if account else "(?!)"
    return bool(roles) and all(re.fullmatch(of_account, role) for role in roles)
