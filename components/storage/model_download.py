"""One model brought into a store once: a Job on a CPU node, which servers wait for."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import ConfigMap, ServiceAccount

from components.serving.serving_args import TokenSecretArgs
from components.specs import Spec
from components.storage.model_download_spec import download_job_spec, job_labels, script, script_spec
from infra.planning.startup import NODE_LAUNCH_SECONDS
from infra.planning.weights import Weights, download_deadline_seconds


class ModelDownloadArgs(TypedDict):
    """What is downloaded, and where to."""

    namespace: pulumi.Input[str]
    """Namespace of the Job and of the claim."""
    store: str
    """Name of the store; part of what makes the Job another one."""
    repository: str
    """Hugging Face repository."""
    revision: str
    """Commit of the repository, 40 hexadecimal digits."""
    size_gib: float
    """Size of the model in GiB, from which the deadline follows."""
    image: pulumi.Input[str]
    """An image with Python 3.11 or newer; the script needs nothing else."""
    claim_name: str
    """Claim that is written to; ReadWriteMany, or ReadWriteOnce where nobody reads meanwhile."""
    node_purpose: NotRequired[str]
    """Value of gpu-platform/purpose of the nodes it may run on. Default: cpu."""
    token_secret: NotRequired[TokenSecretArgs]
    """Token for a gated model."""


class ModelDownload(pulumi.ComponentResource):
    """A Job with its script and service account. The engine goes on when it has ended, or fails with it."""

    job_name: pulumi.Output[str]
    """Name of the Job."""

    def __init__(self, name: str, args: ModelDownloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:ModelDownload", name, {}, opts)
        weights = Weights(args["repository"], args["revision"])
        called = weights.job_name(args["store"], script())
        metadata: Spec = {"name": called, "namespace": args["namespace"], "labels": job_labels(called)}
        inside = pulumi.ResourceOptions(parent=self)
        account = ServiceAccount(
            f"{name}-service-account", metadata=metadata, automount_service_account_token=False, opts=inside
        )
        config = ConfigMap(f"{name}-script", metadata=metadata, data=script_spec(), immutable=True, opts=inside)
        patience = f"{download_deadline_seconds(args['size_gib']) + NODE_LAUNCH_SECONDS}s"
        job = Job(
            f"{name}-job",
            metadata=metadata,
            spec=download_job_spec(called, called, args),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account, config],
                # The provider waits until the Job has ended; ten minutes, its own patience, are too few.
                custom_timeouts=pulumi.CustomTimeouts(create=patience, update=patience),
            ),
        )
        self.job_name = job.metadata["name"]
        self.register_outputs({"jobName": self.job_name})
