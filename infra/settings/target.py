"""Where a stack goes: what it creates, which layers it holds, and the AWS account behind it."""

from typing import Literal

from infra.settings.values import AccountId, Settings

Target = Literal["eks", "existing", "local"]
Layer = Literal["foundation", "platform", "workloads"]
Stage = Literal["development", "staging", "production"]
LAYERS: tuple[Layer, ...] = ("foundation", "platform", "workloads")


class AwsSettings(Settings):
    """The AWS account, named and not looked up, so that a plan needs no credentials."""

    account_id: AccountId
    """Account id, 12 digits, quoted."""
    region: str
    """Region, such as us-east-2."""
    partition: Literal["aws", "aws-cn", "aws-us-gov"] = "aws"
    """Partition of every ARN."""
