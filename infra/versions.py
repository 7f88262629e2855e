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

# Charts. Karpenter's are stamped at release: the Chart.yaml in its repository names an older version.
KARPENTER_CHART = "oci://public.ecr.aws/karpenter/karpenter"
KARPENTER_CRD_CHART = "oci://public.ecr.aws/karpenter/karpenter-crd"
LOAD_BALANCER_CONTROLLER = "3.5.0"  # chart aws-load-balancer-controller of aws/eks-charts
LOAD_BALANCER_CONTROLLER_REPOSITORY = "https://aws.github.io/eks-charts"

# The fabric. Before 0.5.10 the EFA device plugin counts NVLink bridges of p6-b200 as EFA (10 in place of 8; issue 282
# of sagemaker-hyperpod-cli). The SR-IOV operator's chart is stamped at release; its module has the CRDs.
EFA_DEVICE_PLUGIN = "v0.5.30"  # chart aws-efa-k8s-device-plugin of aws/eks-charts; plugin v0.5.20
EFA_DEVICE_PLUGIN_REPOSITORY = "https://aws.github.io/eks-charts"
SRIOV_OPERATOR = "1.6.0"  # chart and Go module github.com/k8snetworkplumbingwg/sriov-network-operator
SRIOV_OPERATOR_CHART = "oci://ghcr.io/k8snetworkplumbingwg/sriov-network-operator-chart"
NETWORK_OPERATOR = "26.4.1"  # chart network-operator of NVIDIA; no module of it can be had
NETWORK_OPERATOR_REPOSITORY = "https://helm.ngc.nvidia.com/nvidia"

GPU_OPERATOR = "v26.7.0"  # chart gpu-operator; its Go module cannot be had: values and CRDs were read at that tag
GPU_OPERATOR_REPOSITORY = "https://helm.ngc.nvidia.com/nvidia"
DRA_DRIVER = "0.4.1"  # chart of NVIDIA's DRA driver; values were read at the tag v0.4.1
DRA_DRIVER_CHART = "oci://registry.k8s.io/dra-driver-nvidia/charts/dra-driver-nvidia-gpu"

# LeaderWorkerSet. 0.10.0 is newer, but its Go module cannot be had. KServe 0.20.0 names 0.8.0 (kserve-deps.env).
LWS = "0.9.0"  # Go module sigs.k8s.io/lws; the chart is stamped at release: Chart.yaml in its repository says 0.1.0
LWS_CHART = "oci://registry.k8s.io/lws/charts/lws"
LWS_IMAGE_TAG = f"v{LWS}"  # values.yaml in the repository says `main`

# The gateway: the set that KServe 0.20.0 is tested with (its kserve-deps.env), but for one patch of Envoy Gateway: with
# the CRDs of 1.8.0 and 1.8.1 the API server refuses every rate limit (envoyproxy/gateway issue 9186; seen here,
# 2026-11-21). Both gateways are built with Gateway API 1.5.1, the AI gateway with 1.0.2 of the inference
# extension (their go.mod), whose InferencePool is v1 as well.
GATEWAY_API = "1.5.1"  # Go module sigs.k8s.io/gateway-api; CRDs of the standard channel
INFERENCE_EXTENSION = "1.5.0"  # Go module sigs.k8s.io/gateway-api-inference-extension; InferencePool
INFERENCE_EXTENSION_MANIFEST = (
    "https://github.com/kubernetes-sigs/gateway-api-inference-extension/releases/download/"
    f"v{INFERENCE_EXTENSION}/manifests.yaml"
)
ENVOY_GATEWAY = "1.8.2"  # charts and Go module github.com/envoyproxy/gateway
ENVOY_GATEWAY_CHART = "oci://docker.io/envoyproxy/gateway-helm"
ENVOY_GATEWAY_CRD_CHART = "oci://docker.io/envoyproxy/gateway-crds-helm"
AI_GATEWAY = "1.0.0"  # charts and Go module github.com/envoyproxy/ai-gateway
AI_GATEWAY_CHART = "oci://docker.io/envoyproxy/ai-gateway-helm"
AI_GATEWAY_CRD_CHART = "oci://docker.io/envoyproxy/ai-gateway-crds-helm"
ENDPOINT_PICKER = "0.9.0"  # llm-d-router; its Go module cannot be had: arguments were read at the tag v0.9.0
ENDPOINT_PICKER_IMAGE = f"ghcr.io/llm-d/llm-d-router-endpoint-picker:v{ENDPOINT_PICKER}"

# Brings secrets of a store outside into tenants' namespaces. The newest whose module can be had; its Chart.yaml at that
# tag names 1.3.1, because it is stamped at release.
EXTERNAL_SECRETS = "1.3.2"  # chart and Go module github.com/external-secrets/external-secrets
EXTERNAL_SECRETS_CHART = "oci://ghcr.io/external-secrets/charts/external-secrets"

# KServe and what it stands on: the set that KServe 0.20.0 was tested with (kserve-deps.env of its Go module), but for
# cert-manager, of which it names 1.17.0; 1.21.2 is the newest whose module can be had.
KSERVE = "0.20.0"  # charts and images v0.20.0; Go module github.com/kserve/kserve holds charts, CRDs and templates
KSERVE_CHARTS = "oci://ghcr.io/kserve/charts"
CERT_MANAGER = "1.21.2"  # chart v1.21.2; Go module github.com/cert-manager/cert-manager holds the chart
CERT_MANAGER_CHART = "oci://quay.io/jetstack/charts/cert-manager"
KNATIVE = "1.21.1"  # the operator carries the manifests of Serving 1.21.1; both are v0.48.1 as Go modules
KNATIVE_OPERATOR_CHART = "knative-operator"
KNATIVE_OPERATOR_REPOSITORY = "https://knative.github.io/operator"
KNATIVE_MODULE = "v0.48.1"

# EKS add-ons by Kubernetes minor version. EKS refuses at creation what does not fit the minor version.
# Sources: kube-proxy, coredns, vpc-cni and the Pod Identity agent of 1.36 as a live 1.36 cluster resolved them; the
# others as seen pinned on live 1.35 clusters (public repositories, read 2026-11-21). `addons` in the settings
# overrides one; `aws eks describe-addon-versions` lists what there is.
EKS_ADDONS = {
    "vpc-cni": {"1.35": "v1.22.4-eksbuild.3", "1.36": "v1.22.4-eksbuild.3"},
    "eks-pod-identity-agent": {"1.35": "v1.3.10-eksbuild.3", "1.36": "v1.3.10-eksbuild.3"},
    "kube-proxy": {"1.35": "v1.35.3-eksbuild.21", "1.36": "v1.36.0-eksbuild.21"},
    "coredns": {"1.35": "v1.13.2-eksbuild.21", "1.36": "v1.14.3-eksbuild.16"},
    "metrics-server": {"1.35": "v0.9.0-eksbuild.5", "1.36": "v0.9.0-eksbuild.5"},
    "aws-ebs-csi-driver": {"1.35": "v1.63.1-eksbuild.1", "1.36": "v1.63.1-eksbuild.1"},
    "aws-efs-csi-driver": {"1.35": "v3.4.1-eksbuild.1", "1.36": "v3.4.1-eksbuild.1"},
    "aws-fsx-csi-driver": {"1.35": "v1.9.0-eksbuild.1", "1.36": "v1.9.0-eksbuild.1"},
    "aws-mountpoint-s3-csi-driver": {"1.35": "v2.6.0-eksbuild.1", "1.36": "v2.6.0-eksbuild.1"},
    "eks-node-monitoring-agent": {"1.35": "v1.7.0-eksbuild.1", "1.36": "v1.7.0-eksbuild.1"},
}

# Entry point kubectl, no shell (kubernetes v1.36.3, build/server-image/kubectl/Dockerfile).
KUBECTL_IMAGE = "registry.k8s.io/kubectl:v1.36.3"

VLLM = "0.33.0"
VLLM_IMAGE = f"docker.io/vllm/vllm-openai:v{VLLM}"

# Other engines: the version whose source was read (infra/catalog/data/engine_facts.csv says what was not confirmed).
SGLANG = "0.5.23"  # newest on PyPI, 2026-11-21
SGLANG_IMAGE = f"docker.io/lmsysorg/sglang:v{SGLANG}"
TGI = "3.3.7"  # last tag; in maintenance mode
TGI_IMAGE = f"ghcr.io/huggingface/text-generation-inference:{TGI}"
TRITON = "25.12"  # the release that the backend's own README names
TRITON_IMAGE = f"nvcr.io/nvidia/tritonserver:{TRITON}-trtllm-python-py3"
TRTLLM = "1.2.1"  # newest on PyPI, 2026-11-21
TRTLLM_IMAGE = f"nvcr.io/nvidia/tensorrt-llm/release:{TRTLLM}"

# With libfabric and aws-ofi-nccl, without which NCCL does not find EFA and falls back to sockets; the plain image has
# neither (vLLM 0.33 docker/Dockerfile.efa). The tag is what that version's publish-release-images.sh writes; whether it
# was published could not be seen.
VLLM_EFA_IMAGE = f"{VLLM_IMAGE}-efa"

# Python and nothing else: what the download script needs. A mirror of the official image without Docker Hub's limits.
DOWNLOAD_IMAGE = "public.ecr.aws/docker/library/python:3.12.11-slim-bookworm"

# What the embedded environment builds: Go module -> version.
SIMULATOR_MODULES = {
    "k8s.io/kubernetes": "v1.36.3",
    "go.etcd.io/etcd/server/v3": "v3.6.7",
    "sigs.k8s.io/kwok": "v0.7.0",
    "github.com/aws/karpenter-provider-aws": f"v{KARPENTER}",
    "sigs.k8s.io/karpenter": f"v{KARPENTER}",  # its core is released under the same number
    "github.com/k8snetworkplumbingwg/sriov-network-operator": f"v{SRIOV_OPERATOR}",
    "github.com/external-secrets/external-secrets": f"v{EXTERNAL_SECRETS}",
    "sigs.k8s.io/gateway-api": f"v{GATEWAY_API}",
    "sigs.k8s.io/gateway-api-inference-extension": f"v{INFERENCE_EXTENSION}",
    "github.com/envoyproxy/gateway": f"v{ENVOY_GATEWAY}",
    "github.com/envoyproxy/ai-gateway": f"v{AI_GATEWAY}",
    "sigs.k8s.io/lws": f"v{LWS}",
    "github.com/kserve/kserve": f"v{KSERVE}",
    "github.com/cert-manager/cert-manager": f"v{CERT_MANAGER}",
    "knative.dev/operator": KNATIVE_MODULE,
    "knative.dev/serving": KNATIVE_MODULE,
}

# What the tests build: Go module -> version. The CLI is older than the SDK in requirements.txt, because it is the
# newest whose module can be had; engine and SDK speak one protocol across the minors of version 3.
TEST_MODULES = {"github.com/pulumi/pulumi/pkg/v3": "v3.250.0"}
