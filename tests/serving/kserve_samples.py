"""A value of every setting of a model, and what must be seen of it in what KServe and Kubernetes are told."""

from dataclasses import dataclass, field

from tests.serving.kserve_example import Json
from tests.serving.kserve_forms import FORMS

POOL: Json = {
    "name": "inference-l40s",
    "purpose": "inference",
    "gpu": "l40s",
    "capacityTypes": ["on-demand"],
    "limits": {"gpus": 96, "nodes": 40},
}
_OTHER_POOL = {**POOL, "name": "other-l40s"}
_CUT_POOL = {
    "name": "cut",
    "purpose": "inference",
    "instanceTypes": ["p5.4xlarge", "p5.48xlarge"],
    "capacityTypes": ["on-demand"],
    "partition": {"mig": "chat-and-two-helpers"},
    "limits": {"gpus": 32, "nodes": 8},
}
_LAYOUTS = [{"name": "chat-and-two-helpers", "devices": {"3g.40gb": 1, "2g.20gb": 2}}]
_REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of one setting.

    Attributes:
        model: what is laid over the model.
        shows: a text that comes into the objects with it; empty: any difference will do.
        platform: what is laid over the rest of the settings.
        said_of: where in the settings a refusal stands instead of at the setting itself.
        beside: what the model has with the setting and without it.
    """

    model: Json
    shows: str = ""
    platform: Json = field(default_factory=dict)
    said_of: str = ""
    beside: Json = field(default_factory=dict)


def _option(name: str, value: object, shows: str = "", **beside: object) -> Sample:
    """An engine option, with those that it needs beside it."""
    return Sample({"engineOptions": {name: value, **beside}}, shows)


def _canary(shows: str = "", **different: object) -> Sample:
    """What a canary has different, or how it takes over."""
    return Sample({"canary": different}, shows, said_of="canary", beside={"canary": {"maxModelLen": 4321}})


_ADAPTERS = [{"name": "legal", "source": "example-org/legal-adapter"}]
_FETCHED = [{"name": "tax", "uri": "hf://example-org/tax-adapter"}]
_DRAFT = {"method": "ngram", "tokens": 5}
_DRAFTED = {"method": "eagle3", "model": "example-org/draft", "tokens": 3, "checkpointGib": 1}
_CHECK = ("image", "command", "url", "timeoutSeconds")
_STORE: Json = {
    "storage": {"weights": [{"name": "files", "kind": "efs"}]},
    "cluster": {"addons": ["aws-efs-csi-driver"]},
}
_CACHE: Json = {"kind": "claim", "storageClass": "shared"}

SAMPLES: dict[str, Sample] = {
    "name": Sample({"name": "another"}, "another"),
    "model": Sample({"model": "Qwen/Qwen3-14B"}, "Qwen/Qwen3-14B"),
    "revision": Sample({"revision": _REVISION}, _REVISION),
    "shapeOf": Sample({"shapeOf": "Qwen/Qwen3-14B"}),
    "checkpointGib": Sample({"checkpointGib": 55.5}),
    "gated": Sample({"gated": True}, "hugging-face"),
    "weights": Sample({"weights": "files", "revision": _REVISION}, "files", _STORE),
    "namespace": Sample({"namespace": "team-a"}, "team-a"),
    "engine": Sample({"engine": "sglang", "engineOptions": {"unconfirmed": "accept"}}, said_of="kserve"),
    "image": Sample({"image": "docker.io/example-org/server:v0.33.0"}, "example-org/server"),
    "engineOptions.unconfirmed": _option("unconfirmed", "accept"),
    "engineOptions.memoryFraction": _option("memoryFraction", 0.77, "0.77"),
    "engineOptions.dataParallel": _option("dataParallel", 2, "--data-parallel-size=2"),
    "engineOptions.expertParallel": Sample(
        {"model": "Qwen/Qwen3-30B-A3B", "engineOptions": {"expertParallel": True}}, "--enable-expert-parallel"
    ),
    "engineOptions.quantization": _option("quantization", "fp8", "fp8"),
    "engineOptions.kvCacheDtype": _option("kvCacheDtype", "fp8", "fp8"),
    "engineOptions.kvCacheMemoryGib": _option("kvCacheMemoryGib", 7.5, "--kv-cache-memory"),
    "engineOptions.prefixCaching": _option("prefixCaching", False, "--disable-prefix-caching"),
    "engineOptions.kvOffload.gib": _option("kvOffload", {"gib": 7.0}, "--kv-offloading-size=7.0"),
    "engineOptions.kvOffload.backend": _option("kvOffload", {"gib": 7.0, "backend": "lmcache"}, "lmcache"),
    "engineOptions.loraAdapters.name": _option("loraAdapters", _ADAPTERS, "legal="),
    "engineOptions.loraAdapters.source": _option("loraAdapters", _ADAPTERS, "example-org/legal-adapter"),
    "engineOptions.maxLoras": _option("maxLoras", 3, "--max-loras=3", loraAdapters=_ADAPTERS),
    "engineOptions.maxLoraRank": _option("maxLoraRank", 64, "--max-lora-rank=64", loraAdapters=_ADAPTERS),
    "engineOptions.speculative.method": _option("speculative", _DRAFT, "ngram"),
    "engineOptions.speculative.tokens": _option("speculative", _DRAFT, 'num_speculative_tokens\\":5'),
    "engineOptions.speculative.model": _option("speculative", _DRAFTED, "example-org/draft"),
    "engineOptions.speculative.checkpointGib": Sample(
        {"engineOptions": {"speculative": {**_DRAFTED, "checkpointGib": 40}}},
        beside={"engineOptions": {"speculative": _DRAFTED}},
    ),
    "engineOptions.loraAdapters.checkpointGib": Sample(
        {"engineOptions": {"loraAdapters": [{**_ADAPTERS[0], "checkpointGib": 40}]}},
        beside={"engineOptions": {"loraAdapters": _ADAPTERS}},
    ),
    "engineOptions.mediaDomains": _option("mediaDomains", ["pictures.example"], "pictures.example"),
    "engineOptions.admission.maxQueuedRequests": _option(
        "admission", {"maxQueuedRequests": 77}, "=87", maxConcurrentSequences=10
    ),
    "engineOptions.admission.maxQueuedTokens": _option("admission", {"maxQueuedTokens": 7777}, "=7777"),
    "engineOptions.maxConcurrentSequences": _option("maxConcurrentSequences", 77, "=77"),
    "engineOptions.maxBatchedTokens": _option("maxBatchedTokens", 9999, "=9999"),
    "engineOptions.sleepMode": _option("sleepMode", True, "--enable-sleep-mode"),
    "engineOptions.trustRemoteCode": Sample(
        {"revision": _REVISION, "engineOptions": {"trustRemoteCode": True}}, "--trust-remote-code"
    ),
    "engineOptions.toolCallParser": _option("toolCallParser", "hermes", "--tool-call-parser=hermes"),
    "engineOptions.reasoningParser": _option("reasoningParser", "qwen3", "--reasoning-parser=qwen3"),
    "engineOptions.chatTemplate": _option("chatTemplate", "/templates/own.jinja", "/templates/own.jinja"),
    "engineOptions.runAs.user": _option("runAs", {"user": 7777}, "7777"),
    "engineOptions.runAs.group": _option("runAs", {"user": 7777, "group": 8888}, "8888"),
    "engineOptions.runAs.home": _option("runAs", {"user": 7777, "home": "/srv/own"}, "/srv/own"),
    "engineOptions.extraArguments": _option("extraArguments", ["--stream-interval=4"], "--stream-interval=4"),
    "custom": Sample({"custom": {"port": 80, "startPath": "/", "readyPath": "/", "livePath": "/"}}),
    "traffic": Sample({"traffic": "interruptible"}, "gpu-platform-batch"),
    "nodePools": Sample({"nodePools": ["other-l40s"]}, "other-l40s", {"nodePools": [POOL, _OTHER_POOL]}),
    "replicas": Sample({"replicas": 3}),
    "tensorParallel": Sample({"tensorParallel": 4}, '"4"'),
    "nodes": Sample({"nodes": 2}, said_of="kserve"),
    "pipelineParallel": Sample({"pipelineParallel": 2}, "--pipeline-parallel-size=2"),
    "group.transport": Sample({"group": {"transport": "tcp"}}, said_of="group"),
    "group.downloadPerNode": Sample({"group": {"downloadPerNode": True}}, said_of="group"),
    "mig": Sample(
        {"nodePools": ["cut"], "mig": "3g.40gb", "tensorParallel": 1},
        "nvidia.com/mig-3g.40gb",
        {"nodePools": [_CUT_POOL], "migLayouts": _LAYOUTS},
    ),
    "maxModelLen": Sample({"maxModelLen": 7777}, "7777"),
    "gpuMemoryUtilization": Sample({"gpuMemoryUtilization": 0.77}, "0.77"),
    "startupSeconds": Sample({"startupSeconds": 3210}, '"failureThreshold": 321'),
    "sharedMemoryGib": Sample({"sharedMemoryGib": 7}, '"7Gi"'),
    "expose": Sample({"expose": {"kind": "LoadBalancer"}}),
    "kserve.canaryTrafficPercent": Sample({"kserve": {"canaryTrafficPercent": 33}}, '"canaryTrafficPercent": 33'),
    "kserve.minReplicas": Sample({"kserve": {"minReplicas": 0}}, '"minReplicas": 0'),
    "kserve.maxReplicas": Sample({"kserve": {"maxReplicas": 5}}, '"maxReplicas": 5'),
    "kserve.containerConcurrency": Sample({"kserve": {"containerConcurrency": 77}}, "77"),
    "kserve.prefill.replicas": Sample({"kserve": {"prefill": {"replicas": 2}}}, said_of="kserve.prefill"),
    "kserve.prefill.tensorParallel": Sample({"kserve": {"prefill": {"tensorParallel": 4}}}, said_of="kserve.prefill"),
    "kserve.lora.adapters.name": Sample({"kserve": {"lora": {"adapters": _FETCHED}}}, "tax=", said_of="kserve.lora"),
    "kserve.lora.adapters.uri": Sample(
        {"kserve": {"lora": {"adapters": _FETCHED}}}, "hf://example-org/tax-adapter", said_of="kserve.lora"
    ),
    "kserve.lora.maxRank": Sample(
        {"kserve": {"lora": {"adapters": _FETCHED, "maxRank": 64}}}, "--max-lora-rank=64", said_of="kserve.lora"
    ),
    "kserve.lora.maxAdapters": Sample(
        {"kserve": {"lora": {"adapters": _FETCHED, "maxAdapters": 3}}}, "--max-loras=3", said_of="kserve.lora"
    ),
    "kserve.scheduler.replicas": Sample({"kserve": {"scheduler": {"replicas": 3}}}, said_of="kserve.scheduler"),
    "kserve.scheduler.cpu": Sample({"kserve": {"scheduler": {"cpu": 5}}}, '"cpu": "5"', said_of="kserve.scheduler"),
    "kserve.scheduler.memoryGib": Sample(
        {"kserve": {"scheduler": {"memoryGib": 9}}}, "9Gi", said_of="kserve.scheduler"
    ),
    "kserve.route": Sample({"kserve": {"route": True}}, '"route": {}'),
    "canary.image": _canary("example-org/server", image="docker.io/example-org/server:v0.33.0"),
    "canary.model": _canary("Qwen/Qwen3-14B", model="Qwen/Qwen3-14B"),
    "canary.revision": _canary(_REVISION, revision=_REVISION),
    "canary.checkpointGib": _canary(checkpointGib=55.5),
    "canary.weights": Sample(
        {"canary": {"weights": "files", "revision": _REVISION}}, "files", _STORE, "canary", _canary().beside
    ),
    "canary.maxModelLen": _canary("5432", maxModelLen=5432),
    "canary.gpuMemoryUtilization": _canary("0.77", gpuMemoryUtilization=0.77),
    "canary.replicas": _canary('"minReplicas": 3', replicas=3),
    "canary.steps": _canary(steps=[20, 100]),
    "canary.bakeSeconds": _canary(bakeSeconds=700),
    "canary.minRequests": _canary(minRequests=900),
    "canary.maxWaitSeconds": _canary(maxWaitSeconds=8000),
    "canary.limits.ttftRatio": _canary(limits={"ttftRatio": 2.0}),
    "canary.limits.tpotRatio": _canary(limits={"tpotRatio": 2.0}),
    "canary.limits.errorDelta": _canary(limits={"errorDelta": 0.5}),
    "canary.limits.abortDelta": _canary(limits={"abortDelta": 0.5}),
    **{f"canary.qualityCheck.{name}": _canary(qualityCheck={"image": "example.org/check:v1"}) for name in _CHECK},
    "canary.wait": _canary(wait=True),
    "drain.preStopSeconds": Sample({"drain": {"preStopSeconds": 21}}, "21"),
    "drain.shutdownTimeoutSeconds": Sample({"drain": {"shutdownTimeoutSeconds": 23}}),
    "resources.cpu": Sample({"resources": {"cpu": 7}}, '"cpu": "7"'),
    "resources.memoryGib": Sample({"resources": {"memoryGib": 33}}, '"35Gi"'),  # and 2 GiB of /dev/shm
    "rollout.strategy": Sample({"rollout": {"strategy": "recreate"}}, "Recreate", said_of="rollout"),
    "rollout.atOnce": Sample({"rollout": {"atOnce": 2}}, '"maxSurge": 2', said_of="rollout"),
    "spread.nodes": Sample({"spread": {"nodes": "required"}}),
    "spread.zones": Sample({"spread": {"zones": "required"}}, "DoNotSchedule"),
    "compileCache.kind": Sample(
        {"compileCache": {"kind": "none"}}, "VLLM_DISABLE_COMPILE_CACHE", said_of="compileCache"
    ),
    "compileCache.storageClass": Sample({"compileCache": _CACHE}, said_of="compileCache"),
    "compileCache.gib": Sample({"compileCache": {**_CACHE, "gib": 33}}, said_of="compileCache"),
    "clients.sameNamespace": Sample({"clients": {"sameNamespace": True}}, '"podSelector": {}', said_of="clients"),
    "clients.namespaces": Sample({"clients": {"namespaces": ["team-b"]}}, "team-b", said_of="clients"),
    "priorityClass": Sample({"priorityClass": "own-class"}, "own-class"),
}

# What makes the form itself; each has a form of its own.
FORM_SETTINGS = frozenset({"kserve.kind", "kserve.mode", "kserve.runtime"})

_STANDARD = ("standard", "standard-tgi", "standard-huggingface")
_CANARY = ("knative", "knative-huggingface")
_ROLLOUT = "it moves the traffic, which components/serving/canary does beside the model"

# Settings that show nowhere in what KServe is told and are not refused, with the forms and the reason.
ELSEWHERE: dict[str, tuple[tuple[str, ...], str]] = {
    "engineOptions.unconfirmed": (tuple(FORMS), "it says what the checks let through"),
    "expose": (_STANDARD, "it makes a load balancer beside the model: components/serving/simple_exposure.py"),
    **{
        f"canary.{name}": (_CANARY, _ROLLOUT)
        for name in (
            *("steps", "bakeSeconds", "minRequests", "maxWaitSeconds", "wait"),
            *(f"limits.{limit}" for limit in ("ttftRatio", "tpotRatio", "errorDelta", "abortDelta")),
        )
    },
}
