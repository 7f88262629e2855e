"""Every version this project deploys or builds, in one place: one set that is tested together.

The rule: a component is pinned at the newest version whose Go module can be had and built, because the embedded
environment runs that very module and reads its CRDs; the Helm chart is of the same version. `SIMULATOR_MODULES` is
held against `simulator/modules/*/go.mod` by a test, so a pin cannot move in one place only.

Compatibility of the set (read 2026-11-21):
- Kubernetes 1.36 on EKS needs Karpenter 1.13 or newer (Karpenter compatibility matrix); EKS AL2023 NVIDIA AMIs exist
  for it since v20260714. 1.34 leaves standard support on 2026-12-02, so nothing older than 1.35 is accepted.
- vLLM 0.33 images carry CUDA 13.0 and need a driver of branch 580 or newer, which those AMIs hold.
"""

# Control plane of EKS, as EKS writes it, and the versions the settings accept.
KUBERNETES_MINOR = "1.36"
KUBERNETES_MINORS_SUPPORTED = ("1.35", "1.36")

# Last day of EKS standard support. Sources: endoflife.date/amazon-eks; Amazon EKS version calendar (2026-04).
# The date of 1.36 has not been published in what we could read.
STANDARD_SUPPORT_ENDS = {"1.35": "2027-03-27"}

KARPENTER = "1.14.1"  # chart and Go module github.com/aws/karpenter-provider-aws
EKS_AMI_ALIAS = "al2023@v20260714"  # amazon-eks-ami release; Karpenter picks the NVIDIA variant per instance type

VLLM = "0.33.0"
VLLM_IMAGE = f"docker.io/vllm/vllm-openai:v{VLLM}"

# What the embedded environment builds: Go module -> version.
SIMULATOR_MODULES = {
    "k8s.io/kubernetes": "v1.36.3",
    "go.etcd.io/etcd/server/v3": "v3.6.7",
    "sigs.k8s.io/kwok": "v0.7.0",
    "github.com/aws/karpenter-provider-aws": f"v{KARPENTER}",
}
