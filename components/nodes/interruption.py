"""The events that tell Karpenter a node is about to go. Plain data.

Source: karpenter-provider-aws v1.14.1, CloudFormation template; AWS names of sources and detail types.
"""

import json

from components.identity.documents import AwsPlace, allow, document

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


def queue_arn(place: AwsPlace) -> str:
    """ARN of the queue, which bears the cluster's name."""
    return place.arn("sqs", place.cluster)


def queue_policy(place: AwsPlace) -> str:
    """Who may write to the queue: EventBridge for rules of this account, and nobody without TLS. JSON text.

    Karpenter's template lets every rule of every account write, which could make Karpenter drain nodes on a stranger's
    word; the condition on the rule closes that (EventBridge user guide, resource-based policies for Amazon SQS).
    """
    sending = allow(
        "EventsMaySend",
        "sqs:SendMessage",
        queue_arn(place),
        {"ArnLike": {"aws:SourceArn": place.arn("events", "rule/*")}},
    )
    without_tls = {
        "Sid": "DenyWithoutTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["sqs:*"],
        "Resource": [queue_arn(place)],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return document(sending | {"Principal": {"Service": ["events.amazonaws.com", "sqs.amazonaws.com"]}}, without_tls)
