"""The shape of a load balancer for one model: plain values in, Kubernetes specs out.

Annotations are those of the AWS Load Balancer Controller 3.5 for a Service (NLB) and an Ingress (ALB).
"""

import json
from typing import TYPE_CHECKING

from components.specs import Spec
from infra.planning.routes import deregistration_seconds

if TYPE_CHECKING:
    from components.serving.simple_exposure import SimpleExposureArgs

HTTP, HTTPS = 80, 443
# Long answers and short ones share the servers: the one with the fewest requests is next.
_FEWEST = "load_balancing.algorithm.type=least_outstanding_requests"
_SERVICE, _INGRESS = "service.beta.kubernetes.io/aws-load-balancer-", "alb.ingress.kubernetes.io/"


def exposure_name(model: str) -> str:
    """Name of the Service or Ingress."""
    return f"{model}-exposed"


def service_annotations(args: "SimpleExposureArgs") -> dict[str, str]:
    """Annotations of the Service: scheme, targets and time-outs."""
    port = HTTPS if "certificate_arn" in args else HTTP
    found = {
        f"{_SERVICE}scheme": args["scheme"],
        f"{_SERVICE}nlb-target-type": "ip",
        f"{_SERVICE}healthcheck-protocol": "http",
        f"{_SERVICE}healthcheck-path": args["health_path"],
        f"{_SERVICE}target-group-attributes": _leaving(args),
    }
    if "certificate_arn" in args:  # the idle time-out of a TLS listener cannot be set
        return {**found, f"{_SERVICE}ssl-cert": args["certificate_arn"], f"{_SERVICE}ssl-ports": str(port)}
    return {**found, f"{_SERVICE}listener-attributes.TCP-{port}": f"tcp.idle_timeout.seconds={args['idle_seconds']}"}


def service_spec(args: "SimpleExposureArgs") -> Spec:
    """`Service.spec` of type LoadBalancer: every path of the engine's port can be called."""
    port = HTTPS if "certificate_arn" in args else HTTP
    spec: Spec = {
        "type": "LoadBalancer",
        "loadBalancerClass": "service.k8s.aws/nlb",
        "allocateLoadBalancerNodePorts": False,  # targets are pods
        "selector": dict(args["selector"]),
        "ports": [{"name": "http", "port": port, "targetPort": args["port"]}],
    }
    return {**spec, "loadBalancerSourceRanges": list(args["source_ranges"])} if args["source_ranges"] else spec


def ingress_annotations(args: "SimpleExposureArgs") -> dict[str, str]:
    """Annotations of the Ingress: scheme, targets, time-outs and certificate."""
    listeners = [{"HTTPS": HTTPS}] if "certificate_arn" in args else [{"HTTP": HTTP}]
    found = {
        f"{_INGRESS}scheme": args["scheme"],
        f"{_INGRESS}target-type": "ip",
        f"{_INGRESS}listen-ports": json.dumps(listeners),
        f"{_INGRESS}healthcheck-path": args["health_path"],
        f"{_INGRESS}load-balancer-attributes": f"idle_timeout.timeout_seconds={args['idle_seconds']}",
        f"{_INGRESS}target-group-attributes": f"{_leaving(args)},{_FEWEST}",
    }
    if args["source_ranges"]:
        found[f"{_INGRESS}inbound-cidrs"] = ",".join(args["source_ranges"])
    if "certificate_arn" in args:
        found[f"{_INGRESS}certificate-arn"] = args["certificate_arn"]
    return found


def ingress_spec(args: "SimpleExposureArgs") -> Spec:
    """`Ingress.spec`: the listed paths and no other; an ALB answers 404 to the rest."""
    backend = {"service": {"name": args["service"], "port": {"number": args["service_port"]}}}
    paths = [{"path": path, "pathType": "Exact", "backend": backend} for path in args["paths"]]
    rule: Spec = {"http": {"paths": paths}}
    return {"ingressClassName": "alb", "rules": [{"host": args["host_name"], **rule} if "host_name" in args else rule]}


def policy_spec(args: "SimpleExposureArgs") -> Spec:
    """`NetworkPolicy.spec`: lets in what the load balancer sends, from its addresses in the VPC.

    Pods have addresses of the VPC too, so this opens the port to them: the price of the simple choice.
    """
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in args["load_balancer_ranges"]]
    return {
        "podSelector": {"matchLabels": dict(args["selector"])},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": blocks, "ports": [{"protocol": "TCP", "port": args["port"]}]}],
    }


def _leaving(args: "SimpleExposureArgs") -> str:
    return f"deregistration_delay.timeout_seconds={deregistration_seconds(args['pre_stop_seconds'])}"
