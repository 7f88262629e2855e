"""Policies of file systems and buckets, and the rights to read and write a prefix. JSON text, from plain names."""

from components.identity.documents import AwsPlace, allow, document


def file_system_policy() -> str:
    """Who may mount: whoever reaches a mount target, encrypted, through an access point, and never as root.

    The security group says who reaches one. A policy takes away what EFS allows without one, so it has to allow too; a
    condition on the access point's ARN is never met by a mount without one (Amazon EFS user guide, using IAM to
    control file system data access).
    """
    through_an_access_point = {
        "Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"},
        "ArnLike": {"elasticfilesystem:AccessPointArn": "arn:*:elasticfilesystem:*:*:access-point/fsap-*"},
    }
    return document(
        {
            "Sid": "MountThroughAccessPoints",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            "Resource": "*",
            "Condition": through_an_access_point,
        },
        {
            "Sid": "NothingUnencrypted",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": ["*"],
            "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )


def bucket_policy(partition: str, bucket: str) -> str:
    """Nothing without TLS."""
    arn = f"arn:{partition}:s3:::{bucket}"
    return document(
        {
            "Sid": "NothingUnencrypted",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:*"],
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def prefix_rights(place: AwsPlace, bucket: str, prefix: str, *, write: bool = False, key_arn: str = "") -> str:
    """The right to read a prefix of a bucket, or to write it too.

    Args:
        key_arn: KMS key of the bucket where its ARN is known as plain text; else the keys of this account, only as S3
            uses them.
    """
    arn = f"arn:{place.partition}:s3:::{bucket}"
    objects = ["s3:GetObject", *(["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"] if write else [])]
    through_s3 = {
        "StringEquals": {"kms:ViaService": f"s3.{place.region}.amazonaws.com", "kms:CallerAccount": place.account}
    }
    listing = {"StringLike": {"s3:prefix": [f"{prefix}*"]}} if prefix else None
    return document(
        allow("ListPrefix", "s3:ListBucket", arn, listing),
        allow("UseObjects", objects, f"{arn}/{prefix}*"),
        allow(
            "UseKeyThroughS3",
            ["kms:Decrypt", *(["kms:GenerateDataKey"] if write else [])],
            key_arn or place.arn("kms", "key/*"),
            through_s3,
        ),
    )
