"""Whether AWS still supports a version on a given day. The day is an input: a plan must not change by itself."""

from datetime import date

from infra.errors import InputError, Problem
from infra.versions import KUBERNETES_MINORS_SUPPORTED, STANDARD_SUPPORT_ENDS


def standard_support_ends(kubernetes_minor: str) -> date | None:
    """Last day of EKS standard support of a Kubernetes minor version; None when AWS has published no date we know."""
    text = STANDARD_SUPPORT_ENDS.get(kubernetes_minor)
    return date.fromisoformat(text) if text else None


def check_support(kubernetes_minor: str, on: date) -> None:
    """Refuse a version that has left standard support; one whose end is not known is let through.

    Raises:
        InputError: naming the last day and the versions that are still supported.
    """
    ends = standard_support_ends(kubernetes_minor)
    if ends is None or on <= ends:
        return
    left = [minor for minor in KUBERNETES_MINORS_SUPPORTED if (standard_support_ends(minor) or date.max) >= on]
    raise InputError(
        [
            Problem(
                "cluster.kubernetesVersion",
                f'"{kubernetes_minor}", in standard support until {ends}',
                f"a version in EKS standard support on {on}: {', '.join(left) or 'this project knows none'}",
                f'write "{left[-1]}"' if left else "take a newer version of this project",
            )
        ]
    )
