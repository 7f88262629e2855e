"""Secrets that settings need: missed before anything is evaluated, and in the engine before anything is made."""

from collections.abc import Container

from infra.errors import Problem
from infra.settings.schema import PlatformSettings
from infra.settings.tenants import tenant_named

TOKEN = "huggingFaceToken"  # noqa: S105 - the name of a setting


def problems_of_tokens(settings: PlatformSettings, held: Container[str]) -> list[Problem]:
    """Every gated model, when the stack holds no Hugging Face token and its tenant brings none.

    Args:
        held: names of the stack's secrets.
    """
    if TOKEN in held:
        return []
    return [
        Problem(
            f"models[{index}].gated",
            "true, and no Hugging Face token",
            f"the secret gpu-platform:{TOKEN}",
            f"run: pulumi config set --secret gpu-platform:{TOKEN}",
        )
        for index, model in enumerate(settings.models)
        if model.gated and not _brought(settings, model.namespace)
    ]


def _brought(settings: PlatformSettings, namespace: str) -> bool:
    """Whether the namespace has a token from a store outside the cluster."""
    tenant = tenant_named(namespace, settings.tenants)
    return tenant is not None and tenant.secrets.hugging_face_token is not None
