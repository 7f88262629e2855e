"""What is known of KServe's own Hugging Face server, so that no component spells a flag of it by hand."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HuggingFaceServer:
    """Facts of KServe's Python server with its vLLM backend.

    Attributes:
        image: repository of the image; its tag is KServe's version.
        vllm: version of vLLM inside, to which flags beyond the server's own go.
        port: port of everything, metrics too.
        ready_path: answers 200 once the model `{name}` is loaded; before, the port refuses connections.
        prefix_variable: what stands before /v1 in the paths of the OpenAI-compatible API; /openai unless it is set.
        user, home: of the image's unprivileged user.
        name_flag, repository_flag, revision_flag, path_flag, context_flag, backend_flag: the server's own flags.
        tensor_parallel_flag, memory_flag: flags that it passes to vLLM.
        options: our names of the options it is given; a flag that its parser does not know it drops in silence
            (parse_known_args), and those of its vLLM were not confirmed.
        source: where these facts were read.
    """

    image: str
    vllm: str
    port: int
    ready_path: str
    prefix_variable: str
    user: int
    home: str
    name_flag: str
    repository_flag: str
    revision_flag: str
    path_flag: str
    context_flag: str
    backend_flag: str
    tensor_parallel_flag: str
    memory_flag: str
    options: frozenset[str]
    source: str


HUGGING_FACE_SERVER = HuggingFaceServer(
    image="docker.io/kserve/huggingfaceserver",
    vllm="0.24.0",
    port=8080,
    ready_path="/v1/models/{name}",
    prefix_variable="KSERVE_OPENAI_ROUTE_PREFIX",
    user=1000,
    home="/home/kserve",
    name_flag="--model_name",
    repository_flag="--model_id",
    revision_flag="--model_revision",
    path_flag="--model_dir",
    context_flag="--max_model_len",
    backend_flag="--backend",
    tensor_parallel_flag="--tensor-parallel-size",
    memory_flag="--gpu-memory-utilization",
    options=frozenset({"served_name", "revision", "context", "tensor_parallel", "memory_fraction"}),
    source="KServe v0.20.0: python/huggingface_server.Dockerfile, python/kserve/kserve/model_server.py, protocol/rest,"
    " python/huggingfaceserver/huggingfaceserver/__main__.py",
)

# The unprivileged user of docker.io/kserve/storage-initializer (KServe v0.20.0, python/storage-initializer.Dockerfile).
STORAGE_INITIALIZER_USER = 1000

# Namespaces of what stands between a caller and a server in mode Knative: activator, autoscaler and Kourier's proxies,
# which Knative's operator puts beside them and an installation by hand keeps apart.
KNATIVE_NAMESPACES = ("knative-serving", "kourier-system")


@dataclass(frozen=True, slots=True)
class QueueProxy:
    """Ports of the proxy that Knative puts into each pod.

    Attributes:
        http: what activator and Kourier's proxies send requests to; it passes them to the server.
        statistics: what the autoscaler reads.
        metrics: what a monitor reads of the requests.
        source: where these facts were read.
    """

    http: int
    statistics: int
    metrics: int
    source: str


QUEUE_PROXY = QueueProxy(8012, 9090, 9091, "knative.dev/serving v0.48.1 (1.21.1): pkg/networking/constants.go")


@dataclass(frozen=True, slots=True)
class LlmPods:
    """What KServe calls the pods of an LLMInferenceService and where they listen.

    Attributes:
        part_of: value of app.kubernetes.io/part-of on every pod.
        component: label and value on every server, prefill and decode alike.
        role_label: what tells them apart: `decode`, `prefill`, or `both` where prefill is not apart.
        servers, prefill_servers, picker: values of app.kubernetes.io/component.
        http: port of servers; with prefill apart, of the proxy before a decoding engine.
        decode: port of the engine behind that proxy.
        picker_grpc, picker_metrics: ports of the endpoint picker.
        adapters: folder in which LoRA adapters lie, each under its name.
        source: where these facts were read.
    """

    part_of: str
    component: tuple[str, str]
    role_label: str
    servers: str
    prefill_servers: str
    picker: str
    http: int
    decode: int
    picker_grpc: int
    picker_metrics: int
    adapters: str
    source: str


LLM_PODS = LlmPods(
    part_of="llminferenceservice",
    component=("kserve.io/component", "workload"),
    role_label="llm-d.ai/role",
    servers="llminferenceservice-workload",
    prefill_servers="llminferenceservice-workload-prefill",
    picker="llminferenceservice-router-scheduler",
    http=8000,
    decode=8001,
    picker_grpc=9002,
    picker_metrics=9090,
    adapters="/mnt/lora",
    source="KServe v0.20.0: pkg/constants/constants.go, pkg/controller/v1alpha2/llmisvc (workload.go,"
    " workload_single_node.go, workload_lora.go), charts/kserve-runtime-configs/files/llmisvcconfigs",
)
