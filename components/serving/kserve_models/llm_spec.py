"""The shape of an LLMInferenceService (serving.kserve.io/v1alpha2): plain values in, specs out.

KServe lays this over its own templates (LLMInferenceServiceConfig `kserve-config-llm-*`), container by container and
mount by mount. Whatever those templates have wrong for us is therefore written out here. Read in KServe 0.20.0:
pkg/controller/v1alpha2/llmisvc and charts/kserve-runtime-configs/files/llmisvcconfigs.
"""

from components.serving.engine_arguments import engine_arguments, token_variables
from components.serving.kserve_models.args import KServeModelArgs, LoraArgs, PrefillArgs
from components.serving.kserve_models.policies import llm_selector
from components.serving.kserve_models.values import ON_SYSTEM_NODES
from components.serving.pod_parts import engine_container, node_affinity, pod_spec
from components.serving.server_place import nodes_apart, zone_constraints
from components.serving.serving_args import EngineOptionsArgs, ServingPodArgs
from components.specs import Spec
from infra.catalog.engines import VLLM
from infra.catalog.kserve import LLM_PODS, STORAGE_INITIALIZER_USER
from infra.conventions import API_CLIENT_LABEL, ENGINE_LABEL

# The template's container that serves.
CONTAINER = "main"
# Where KServe mounts a model (constants.DefaultModelLocalMountPath).
MODEL_PATH = "/mnt/models"
_ROUTING_ANNOTATION = "serving.kserve.io/model-based-routing-enabled"
# Roles of servers: those of prefill apart, those that then only decode, and those that do both.
_PREFILL, _DECODE, _BOTH = "prefill", "decode", "both"
# How prefill and decode servers pass KV caches (docs/samples/llmisvc/e2e-gpt-oss of KServe; the flag is vLLM's).
_TRANSFER = '--kv-transfer-config={"kv_connector":"NixlConnector","kv_role":"kv_both"}'
_SIDE_CHANNEL = "VLLM_NIXL_SIDE_CHANNEL_HOST"
# Written out in full: the picker's pod has no context to inherit. The image's own user has a home it can write to, and
# what it downloads lies on volumes that anybody may write to.
_INITIALIZER_SECURITY: Spec = {
    "runAsNonRoot": True,
    "runAsUser": STORAGE_INITIALIZER_USER,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def llm_inference_service_spec(name: str, args: KServeModelArgs) -> Spec:
    """`LLMInferenceService.spec`."""
    pod, engine = args["pod"], _with_adapters(args["engine"], args.get("lora"))
    role = _DECODE if "prefill" in args else _BOTH
    return {
        "model": _model(name, args),
        "replicas": args["replicas"],
        "parallelism": {"tensor": engine["tensor_parallel"]},
        "labels": _labels(role),
        # Requests name the model as they name every other here; KServe's publishers/<namespace>/models/<name> would be
        # a second name that the engine does not know.
        "annotations": {_ROUTING_ANNOTATION: "false"},
        # A store of ours is mounted as in every other form; KServe would fetch a second copy.
        **({"storageInitializer": {"enabled": False}} if "weights" in pod else {}),
        "template": _template(name, engine, pod, role),
        **({"prefill": _prefill(name, args["prefill"], args.get("lora"))} if "prefill" in args else {}),
        "router": _router(args),
    }


def _labels(role: str) -> dict[str, str]:
    """Labels of the pods beside KServe's own.

    They get into the Deployment's selector as well (one map for both in workload_single_node.go), which cannot change:
    nothing may stand here that another version would write otherwise.
    """
    # The proxy before a decoding engine asks the Kubernetes API which pods it may call.
    return {ENGINE_LABEL: VLLM.label, **({API_CLIENT_LABEL: "true"} if role == _DECODE else {})}


def _with_adapters(engine: EngineOptionsArgs, lora: LoraArgs | None) -> EngineOptionsArgs:
    """The engine with the adapters that KServe fetches.

    KServe would write the flags itself, and into our arguments they do not fit: it puts `--lora-modules` first, which
    takes every word up to the next flag and so the model's path too, in quotes that only its own shell takes off. It
    leaves them to whoever has written the flag (userSuppliedLoRAConfig in workload_lora.go), and still fetches.
    """
    if not lora:
        return engine
    found: EngineOptionsArgs = {
        **engine,
        "lora_adapters": [
            {"name": adapter["name"], "source": f"{LLM_PODS.adapters}/{adapter['name']}"}
            for adapter in lora["adapters"]
        ],
    }
    if "max_adapters" in lora:
        found["max_loras"] = lora["max_adapters"]
    if "max_rank" in lora:
        found["max_lora_rank"] = lora["max_rank"]
    return found


def model_uri(engine: EngineOptionsArgs, pod: ServingPodArgs) -> str:
    """Where KServe is told that the model is.

    hf://owner/model:revision is what KServe's initializer reads (python/storage/kserve_storage). A claim is named for
    people: with the initializer off nothing reads it.
    """
    weights = pod.get("weights", {})
    if "claim_name" in weights:
        return f"pvc://{weights['claim_name']}/{weights['model'].rpartition('/')[2]}"
    revision = f":{engine['revision']}" if "revision" in engine else ""
    return f"hf://{engine['model']}{revision}"


def _model(name: str, args: KServeModelArgs) -> Spec:
    lora = args.get("lora")
    model: Spec = {"uri": model_uri(args["engine"], args["pod"]), "name": name}
    if lora:
        limits = {"maxRank": lora.get("max_rank"), "maxAdapters": lora.get("max_adapters")}
        model["lora"] = {
            "adapters": [{"name": adapter["name"], "uri": adapter["uri"]} for adapter in lora["adapters"]],
            **{key: value for key, value in limits.items() if value is not None},
        }
    return model


def _prefill(name: str, prefill: PrefillArgs, lora: LoraArgs | None) -> Spec:
    return {
        "replicas": prefill["replicas"],
        "parallelism": {"tensor": prefill["engine"]["tensor_parallel"]},
        "labels": _labels(_PREFILL),
        "template": _template(name, _with_adapters(prefill["engine"], lora), prefill["pod"], _PREFILL),
    }


def _router(args: KServeModelArgs) -> Spec:
    gateway = args.get("gateway")
    router: Spec = {"scheduler": {"replicas": args.get("scheduler_replicas", 1), "template": _picker(args)}}
    if gateway:
        router["gateway"] = {"refs": [{"name": gateway["name"], "namespace": gateway["namespace"]}]}
        router["route"] = {}
    return router


def _picker(args: KServeModelArgs) -> Spec:
    """The endpoint picker's pod, to lay over the template: it downloads the tokenizer, and needs no GPU.

    Without a list of containers KServe's merge would delete the template's.
    """
    first, memory = _initializer(args["pod"]), f"{args.get('scheduler_memory_gib', 2)}Gi"
    container: Spec = {
        "name": CONTAINER,
        # Written out, so that the plan knows what it asks of a node. The template's limits are 6 cores and 16 GiB.
        "resources": {
            "requests": {"cpu": str(args.get("scheduler_cpu", 1)), "memory": memory},
            "limits": {"memory": memory},
        },
    }
    # Every other node may be one with GPUs, which it does not tolerate.
    pod: Spec = {"containers": [container], "tolerations": ON_SYSTEM_NODES}
    return {**pod, "initContainers": first} if first else pod


def _template(name: str, engine: EngineOptionsArgs, pod: ServingPodArgs, role: str) -> Spec:
    """A pod to lay over the template: all of ours, and nothing that would merge into nonsense."""
    spec = pod_spec(name, engine, pod)
    first = [*spec.get("initContainers", []), *_initializer(pod)]
    kept = {key: value for key, value in spec.items() if key not in {"serviceAccountName", "initContainers"}}
    if role == _BOTH:
        # The proxy of a decoding pod acts under an account that KServe makes; elsewhere ours is enough.
        kept["serviceAccountName"] = spec["serviceAccountName"]
    return {
        **kept,
        # The proxy of a decoding pod asks the Kubernetes API which pods it may call: its account's token is mounted.
        "automountServiceAccountToken": role == _DECODE,
        **_apart(name, pod, role),
        **({"initContainers": first} if first else {}),
        "containers": [_container(name, engine, pod, role)],
    }


def _apart(name: str, pod: ServingPodArgs, role: str) -> Spec:
    """Servers of one role apart from each other: by KServe's labels, since it drops every other that names a model."""
    alike, place = {**llm_selector(name), LLM_PODS.role_label: role}, pod.get("place", {})
    return {
        "affinity": {"nodeAffinity": node_affinity(pod), "podAntiAffinity": nodes_apart(alike, place)},
        "topologySpreadConstraints": zone_constraints(alike, place),
    }


def _container(name: str, engine: EngineOptionsArgs, pod: ServingPodArgs, role: str) -> Spec:
    container = engine_container(name, engine, pod)
    given = engine_arguments(name, engine, pod)
    model = given[0] if "weights" in pod else MODEL_PATH
    # KServe fetches the revision; a path has none.
    flags = [flag for flag in given[1:] if not flag.startswith(f"{VLLM.flag('revision')}=")]
    # KServe's initializer downloads a gated model, so the engine has no use for the token.
    variables = [variable for variable in container["env"] if variable not in token_variables(pod)]
    side_channel = {"name": _SIDE_CHANNEL, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    port, apart = LLM_PODS.decode if role == _DECODE else LLM_PODS.http, role != _BOTH
    return {
        **container,
        "name": CONTAINER,
        # The template's command reckons the drain as if preStop were always 15 s (shutdownTimeout in
        # config_merge.go): a longer preStop would let the kubelet kill before vLLM gives up.
        "command": ["vllm", "serve"],
        "args": [model, *flags, f"--port={port}", *([_TRANSFER] if apart else [])],
        "env": [*variables, *([side_channel] if apart else [])],
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
        # The template says `exec`; `sleep` beside it would be two handlers of one hook, which the API server refuses.
        "lifecycle": {"preStop": {"exec": {"command": ["/bin/sleep", str(pod["pre_stop_seconds"])]}}},
    }


def _initializer(pod: ServingPodArgs) -> list[Spec]:
    """What KServe's initializer, which downloads model and adapters, lacks of its own.

    KServe gives it no security context, and a namespace that enforces `restricted` forbids every pod that has it. It
    merges what a template says of a container of this name into its own (attachStorageInitializer in
    workload_storage.go); switched off, because a store of ours is mounted, it would leave a container without image.
    """
    if "weights" in pod:
        return []
    token = token_variables(pod)
    found: Spec = {"name": "storage-initializer", "securityContext": _INITIALIZER_SECURITY}
    return [{**found, "env": token} if token else found]
