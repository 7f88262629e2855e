"""Secrets that settings need: missed before anything is evaluated, and in the engine before anything is made.

No message holds a value, or a part of one.
"""

from collections.abc import Container

from infra.errors import Problem
from infra.planning.api_keys import keys_by_client
from infra.settings.schema import PlatformSettings
from infra.settings.tenants import tenant_named

TOKEN = "huggingFaceToken"  # noqa: S105 - the name of a setting
GATEWAY_KEYS = "gatewayApiKeys"


def problems_of_tokens(settings: PlatformSettings, held: Container[str]) -> list[Problem]:
    """What needs a secret that the stack does not hold: gated models whose tenant brings no token, the gateway's keys.

    Args:
        held: names of the stack's secrets.
    """
    found = []
    if TOKEN not in held:
        found = [
            Problem(
                f"models[{index}].gated",
                "true, and no Hugging Face token",
                f"the secret gpu-platform:{TOKEN}",
                f"run: pulumi config set --secret gpu-platform:{TOKEN}",
            )
            for index, model in enumerate(settings.models)
            if model.gated and not _brought(settings, model.namespace)
        ]
    if wants_keys(settings) and GATEWAY_KEYS not in held:
        found.append(
            Problem(
                "gateway.authentication.apiKeys.pulumiSecret",
                "true, and no API keys",
                f"the secret gpu-platform:{GATEWAY_KEYS}",
                f"run, for each client: pulumi config set --secret --path gpu-platform:{GATEWAY_KEYS}.CLIENT",
            )
        )
    return found


def wants_keys(settings: PlatformSettings) -> bool:
    """Whether the gateway's API keys are a Pulumi secret."""
    who = settings.gateway.authentication if settings.gateway else None
    return bool(who and who.api_keys and who.api_keys.pulumi_secret)


def problem_of_keys(text: str) -> Problem | None:
    """What is wrong with the text of the gateway's API keys; nothing of it is repeated."""
    try:
        keys_by_client(text)
    except ValueError as error:
        return Problem(
            f"gpu-platform:{GATEWAY_KEYS}",
            str(error),
            "a JSON object of client to key, each client with a key of its own",
            f"run, for each client: pulumi config set --secret --path gpu-platform:{GATEWAY_KEYS}.CLIENT",
        )
    return None


def _brought(settings: PlatformSettings, namespace: str) -> bool:
    """Whether the namespace has a token from a store outside the cluster."""
    tenant = tenant_named(namespace, settings.tenants)
    return tenant is not None and tenant.secrets.hugging_face_token is not None
