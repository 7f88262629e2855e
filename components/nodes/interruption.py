"""The events that tell Karpenter a node is about to go. Plain data.

Source: karpenter-provider-aws v1.14.1, CloudFormation template; AWS names of sources and detail types.
"""

import json

# By the name of the rule: event source and detail type. A rebalance recommendation is reported, never drained.
INTERRUPTION_EVENTS = {
    "scheduled-change": ("aws.health", "AWS Health Event"),
    "spot-interruption": ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
    "rebalance": ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
    "state-change": ("aws.ec2", "EC2 Instance State-change Notification"),
    "capacity-reservation": ("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
}

QUEUE_RETENTION_SECONDS = 300  # an older event is about a node that is long gone


def event_pattern(source: str, detail_type: str) -> str:
    """The EventBridge pattern of one kind of event, as JSON text."""
    return json.dumps({"source": [source], "detail-type": [detail_type]}, sort_keys=True)


def queue_policy(queue_arn: str) -> str:
    """Who may write to the queue: EventBridge, and nobody without TLS. JSON text."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "EventsMaySend",
                    "Effect": "Allow",
                    "Principal": {"Service": ["events.amazonaws.com", "sqs.amazonaws.com"]},
                    "Action": ["sqs:SendMessage"],
                    "Resource": [queue_arn],
                },
                {
                    "Sid": "DenyWithoutTls",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": ["sqs:*"],
                    "Resource": [queue_arn],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ],
        },
        sort_keys=True,
    )
