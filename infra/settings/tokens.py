"""Secrets that settings need: missed before anything is evaluated, and in the engine before anything is made."""

from collections.abc import Container

from infra.errors import Problem
from infra.settings.schema import PlatformSettings

TOKEN = "huggingFaceToken"  # noqa: S105 - the name of a setting


def problems_of_tokens(settings: PlatformSettings, held: Container[str]) -> list[Problem]:
    """Every gated model, when the stack holds no Hugging Face token.

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
        if model.gated
    ]
