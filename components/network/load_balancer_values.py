"""Values of the AWS Load Balancer Controller's chart (3.5.0, helm/aws-load-balancer-controller/values.yaml)."""

import pulumi

from components.specs import Spec

SERVICE_ACCOUNT = "aws-load-balancer-controller"

# Our estimate for a cluster of some hundred targets; the chart sets none. Memory has a limit, so that a leak ends in a
# restart and not in an eviction of its neighbours on the system nodes.
_RESOURCES = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}}


def load_balancer_values(
    cluster_name: str, region: str, vpc_id: pulumi.Input[str], default_tags: dict[str, pulumi.Input[str]]
) -> Spec:
    """The chart's values.

    Args:
        cluster_name: value of the tag elbv2.k8s.aws/cluster, which bounds the controller's rights.
        region: given, because pods cannot reach the metadata service that the controller would ask (one hop).
        vpc_id: given for the same reason.
        default_tags: on every load balancer, target group and security group that the controller makes.
    """
    return {
        "replicaCount": 2,
        "clusterName": cluster_name,
        "region": region,
        "vpcId": vpc_id,
        "serviceAccount": {"create": True, "name": SERVICE_ACCOUNT},
        "createIngressClassResource": True,
        "ingressClass": "alb",
        # Pods have addresses of the VPC: straight to them, not through a NodePort and kube-proxy of any node.
        "defaultTargetType": "ip",
        "defaultTags": dict(default_tags),
        # With it, no Service of any kind can be created while the controller is not up yet, so that Karpenter's release
        # beside it would fail. A Service for the controller names its class: service.k8s.aws/nlb.
        "enableServiceMutatorWebhook": False,
        # Otherwise every upgrade makes new certificates, and the webhooks fail until all replicas have restarted.
        "keepTLSSecret": True,
        "enableWaf": False,  # WAF Classic is retired; wafv2 stays on
        "enableShield": False,  # a subscription of the account; see load_balancer_policies
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "podDisruptionBudget": {"maxUnavailable": 1},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "aws-load-balancer-controller"}},
            }
        ],
        "resources": _RESOURCES,
    }
