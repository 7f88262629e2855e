"""ECR repositories and pull-through caches, so that a node's start depends on no registry but ECR."""

import json
from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws import ecr

# Untagged images are what a moved tag would leave; tags here never move, so these are failed or replaced pushes.
UNTAGGED_DAYS = 14


class PullThroughArgs(TypedDict):
    """A public registry to cache."""

    upstream: str
    """Registry host, such as quay.io."""
    credential_arn: NotRequired[str]
    """Secrets Manager secret (name begins with ecr-pullthroughcache/), for registries that ask for a login."""


class ImageRegistryArgs(TypedDict):
    """Repositories and caches of one cluster."""

    cluster_name: str
    """Cluster; prefix of repositories and caches."""
    repositories: list[str]
    """Names of own repositories, below the cluster's prefix."""
    pull_through: dict[str, PullThroughArgs]
    """Caches by short name, which becomes part of the image path."""
    key_arn: pulumi.Input[str]
    """KMS key of the images."""
    protect: NotRequired[bool]
    """Whether a destroy of the repositories is refused; else they go with their images. Default: False."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on repositories."""


class ImageRegistry(pulumi.ComponentResource):
    """Repositories with tags that never move, scanned on push, encrypted with our key."""

    def __init__(self, name: str, args: ImageRegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:ImageRegistry", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        protect = args.get("protect", False)
        for repository in args["repositories"]:
            made = ecr.Repository(
                f"{name}-{repository}",
                name=f"{args['cluster_name']}/{repository}",
                image_tag_mutability="IMMUTABLE",
                image_scanning_configuration={"scan_on_push": True},
                encryption_configurations=[{"encryption_type": "KMS", "kms_key": args["key_arn"]}],
                force_delete=not protect,  # ECR refuses to delete a repository with images
                tags=args.get("tags", {}),
                opts=pulumi.ResourceOptions(parent=self, protect=protect),
            )
            ecr.LifecyclePolicy(
                f"{name}-{repository}-lifecycle", repository=made.name, policy=lifecycle_policy(), opts=inside
            )
        for short, cache in sorted(args["pull_through"].items()):
            ecr.PullThroughCacheRule(
                f"{name}-cache-{short}",
                ecr_repository_prefix=f"{args['cluster_name']}/{short}",
                upstream_registry_url=cache["upstream"],
                credential_arn=cache.get("credential_arn"),
                opts=inside,
            )
        self.register_outputs({})


def lifecycle_policy() -> str:
    """Untagged images go after UNTAGGED_DAYS. JSON text."""
    rule = {
        "rulePriority": 1,
        "description": "untagged images",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": UNTAGGED_DAYS,
        },
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [rule]}, sort_keys=True)
