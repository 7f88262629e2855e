"""What a destroy may take its time for."""

from typing import Annotated

from pydantic import Field, StrictInt

from infra.settings.values import Settings


class DestroySettings(Settings):
    """How a stack ends."""

    drain_minutes: Annotated[StrictInt, Field(ge=1, le=240)] = 15
    """Minutes that the pods of a pool have to leave within their disruption budgets before they are deleted. Running
    requests have their own grace period inside it."""
