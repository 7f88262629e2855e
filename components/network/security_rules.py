"""What may talk to GPU nodes, as plain data.

EFA needs two rules that look redundant: all traffic from the group to itself, inbound and outbound. An outbound rule to
0.0.0.0/0 does not replace the second. Source: Amazon EC2 user guide, EFA; eksctl addEFASecurityGroup.
"""

from dataclasses import dataclass

# Ports on nodes that the control plane calls: kubelet, metrics-server, and the webhooks of controllers.
# Source: terraform-aws-eks v21, recommended node security group rules.
# EC2 takes letters, digits, spaces and ._-:/()#,@[]+=&;{}!$* in the description of a rule, and no apostrophe.
CONTROL_PLANE_TO_NODE_PORTS = {
    443: "aggregated APIs and webhooks",
    4443: "webhooks and metrics-server",
    6443: "webhooks",
    8443: "webhook of Karpenter",
    9443: "webhook of the AWS Load Balancer Controller",
    10250: "kubelet",
    10251: "metrics-server of the EKS add-on",
}


@dataclass(frozen=True, slots=True)
class SelfRule:
    """All traffic between members of the group, in one direction."""

    name: str
    ingress: bool
    description: str


EFA_RULES = (
    SelfRule("nodes-in", True, "all traffic from nodes, which EFA needs"),
    SelfRule("nodes-out", False, "all traffic to nodes, which EFA needs beside the rule to anywhere"),
)
