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
        openai_prefix: what stands before /v1 in the paths of the OpenAI-compatible API.
        user, home: of the image's unprivileged user.
        name_flag, repository_flag, revision_flag, path_flag, context_flag, backend_flag: the server's own flags.
        tensor_parallel_flag, memory_flag: flags that it passes to vLLM.
        source: where these facts were read.
    """

    image: str
    vllm: str
    port: int
    ready_path: str
    openai_prefix: str
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
    source: str


HUGGING_FACE_SERVER = HuggingFaceServer(
    image="docker.io/kserve/huggingfaceserver",
    vllm="0.24.0",
    port=8080,
    ready_path="/v1/models/{name}",
    openai_prefix="/openai",
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
    source="KServe v0.20.0: python/huggingface_server.Dockerfile, python/kserve/kserve/model_server.py, protocol/rest,"
    " python/huggingfaceserver/huggingfaceserver/__main__.py",
)

# The unprivileged user of docker.io/kserve/storage-initializer (KServe v0.20.0, python/storage-initializer.Dockerfile).
STORAGE_INITIALIZER_USER = 1000
