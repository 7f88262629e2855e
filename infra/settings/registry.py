"""Container images: repositories of our own and caches of public registries."""

from typing import Annotated

from pydantic import AfterValidator

from infra.settings.values import DnsLabel, Settings, matching


class PullThrough(Settings):
    """A public registry to cache in ECR."""

    upstream: Annotated[str, AfterValidator(matching(r"[a-z0-9.-]+\.[a-z]+", "a registry's host, such as quay.io"))]
    """Host of the registry."""
    credential_arn: (
        Annotated[
            str,
            AfterValidator(
                matching(
                    r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:ecr-pullthroughcache/\S+",
                    "the ARN of a Secrets Manager secret whose name begins with ecr-pullthroughcache/",
                )
            ),
        ]
        | None
    ) = None
    """Login, for registries that ask for one (Docker Hub, ghcr.io)."""


class RegistrySettings(Settings):
    """ECR repositories and caches, below the cluster's name."""

    repositories: tuple[DnsLabel, ...] = ()
    """Own repositories."""
    pull_through: dict[DnsLabel, PullThrough] = {}
    """Caches by short name, which becomes part of the image path."""
