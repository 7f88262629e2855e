"""A bucket for weights or checkpoints: encrypted with our key, closed to the public, TLS only."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws import s3

from components.storage.documents import bucket_policy

# Parts of uploads that were broken off are invisible and billed. Our choice.
_UNFINISHED_DAYS = 7


class DataBucketArgs(TypedDict):
    """Which bucket, and how it is kept."""

    partition: str
    """AWS partition."""
    bucket: str
    """Name of the bucket, plain, so that policies can be read in a plan."""
    key_arn: pulumi.Input[str]
    """KMS key of the objects."""
    protect: bool
    """Whether the engine refuses to delete it. It stays when the stack is destroyed in either case."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on the bucket."""


class DataBucket(pulumi.ComponentResource):
    """A bucket with its encryption, policy and public access block.

    Not versioned: weights are named by their revision and checkpoints by their step, so nothing is overwritten, and a
    version of every deleted checkpoint would be billed for ever.
    """

    bucket_name: pulumi.Output[str]
    """Name of the bucket, known once it is closed and encrypted."""

    def __init__(self, name: str, args: DataBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:DataBucket", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        bucket = s3.Bucket(
            f"{name}-bucket",
            bucket=args["bucket"],
            tags=args.get("tags", {}),
            # S3 deletes only empty buckets, and nobody wants this one emptied by a destroy.
            opts=pulumi.ResourceOptions(parent=self, protect=args["protect"], retain_on_delete=True),
        )
        block = s3.BucketPublicAccessBlock(
            f"{name}-public-access",
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=inside,
        )
        encryption = s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.bucket,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": args["key_arn"],
                    },
                    # One data key for many objects: a checkpoint of thousands of files is not thousands of KMS calls.
                    "bucket_key_enabled": True,
                }
            ],
            opts=inside,
        )
        lifecycle = s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=bucket.bucket,
            rules=[
                {
                    "id": "unfinished-uploads",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": _UNFINISHED_DAYS},
                }
            ],
            opts=inside,
        )
        policy = s3.BucketPolicy(
            f"{name}-policy",
            bucket=bucket.bucket,
            policy=bucket_policy(args["partition"], args["bucket"]),
            # S3 refuses a policy while it is still deciding what public is.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[block]),
        )
        self.bucket_name = pulumi.Output.all(bucket.bucket, encryption.id, policy.id, lifecycle.id).apply(
            lambda all_: str(all_[0])
        )
        self.register_outputs({"bucketName": self.bucket_name})
