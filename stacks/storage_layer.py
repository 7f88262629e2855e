"""Stores as the cluster sees them: volumes and rights in the platform layer, claims and downloads above."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap, PersistentVolume, PersistentVolumeClaim

from components.storage.checkpoint_store import CheckpointStore, CheckpointStoreArgs
from components.storage.local_model_cache import LocalModelCache
from components.storage.model_download import ModelDownload, ModelDownloadArgs
from components.storage.model_download_spec import script_spec
from components.storage.mountpoint_volumes import MountpointVolumes
from components.storage.volumes_spec import LABELS, bound_claim, class_claim, lustre_volume
from infra.planning.weights import reader_claim, volume_name, writer_claim
from infra.settings.storage import (
    BucketCheckpoints,
    EfsWeights,
    KserveCacheWeights,
    LustreCheckpoints,
    MountpointWeights,
    NvmeCacheWeights,
    ScratchCheckpoints,
    StorageClassCheckpoints,
    StorageClassWeights,
    StreamerWeights,
    Weights,
)
from infra.versions import DOWNLOAD_IMAGE
from stacks.foundation import aws_settings
from stacks.storage_ids import mount_name_key, storage_id
from stacks.storage_rights import (
    MOUNTPOINT_RIGHTS,
    checkpoint_rights,
    mountpoint_rights,
    streamer_rights,
    streamer_rights_name,
)
from stacks.weights_of_models import (
    TOKEN_KEY,
    TOKEN_SECRET,
    WITH_CLAIM,
    job_key,
    scripts_name,
    tenants,
    users_of,
    written_by_job,
)

if TYPE_CHECKING:
    from stacks.platform_layer import Cluster, PlatformLayer


def deploy_storage(cluster: "Cluster") -> dict[str, pulumi.Resource]:
    """The platform's part: volumes, storage classes and rights, by what they are of."""
    made: dict[str, pulumi.Resource] = {}
    settings, options = cluster.settings, cluster.options()
    mounted = [store for store in settings.storage.weights if isinstance(store, MountpointWeights)]
    made |= mountpoint_rights(mounted, cluster) if mounted else {}
    for store in settings.storage.weights:
        if isinstance(store, EfsWeights):
            made[store.name] = _efs(store, cluster)
        elif isinstance(store, MountpointWeights):
            volumes = {"bucket": store.bucket, "prefix": store.prefix, "tenants": tenants(settings, store)}
            below = [made[MOUNTPOINT_RIGHTS], *_bucket(store.bucket, cluster)]
            made[store.name] = MountpointVolumes(store.name, volumes, cluster.options(below))  # type: ignore[arg-type]
        elif isinstance(store, KserveCacheWeights):
            made[store.name] = _local_model_cache(store, options)
        elif isinstance(store, StreamerWeights):
            made |= streamer_rights(store, cluster)
    for checkpoints in settings.storage.checkpoints:
        if isinstance(checkpoints, LustreCheckpoints):
            made[checkpoints.name] = _lustre_volume(checkpoints, cluster)
        elif isinstance(checkpoints, BucketCheckpoints):
            made |= checkpoint_rights(checkpoints, cluster)
    return made


def _bucket(name: str, cluster: "Cluster") -> list[pulumi.Resource]:
    return [cluster.foundation.buckets[name]] if name in cluster.foundation.buckets else []


def _efs(store: EfsWeights, cluster: "Cluster") -> pulumi.Resource:
    # Imported here, so that an environment without AWS does not pay for the AWS SDK.
    from components.storage.weight_volumes import WeightVolumes

    system = store.file_system_id or storage_id(cluster.foundation, store.name)
    args: Any = {
        "file_system_id": system,
        "tenants": tenants(cluster.settings, store),
        "tags": dict(cluster.settings.tags),
    }
    return WeightVolumes(store.name, args, cluster.options())


def _local_model_cache(store: KserveCacheWeights, options: pulumi.ResourceOptions) -> pulumi.Resource:
    models = {
        model.name: {"source_uri": f"hf://{model.model}:{model.revision}", "size_gib": float(model.size_gib)}
        for model in store.models
    }
    args: Any = {"node_pools": list(store.node_pools), "limit_gib": store.limit_gib, "models": models}
    return LocalModelCache(store.name, args, options)


def _lustre_volume(store: LustreCheckpoints, cluster: "Cluster") -> pulumi.Resource:
    return PersistentVolume(
        f"{store.name}-{store.namespace}-volume",
        metadata={"name": volume_name(store.name, store.namespace), "labels": LABELS},
        spec=lustre_volume(
            storage_id(cluster.foundation, store.name),
            storage_id(cluster.foundation, mount_name_key(store.name)),
            region=aws_settings(cluster.settings).region,
            namespace=store.namespace,
            claim=store.name,
            gib=store.capacity_gib,
        ),
        opts=cluster.options(),
    )


def deploy_claims(
    cluster: "Cluster",
    namespaces: Mapping[str, pulumi.Resource],
    tokens: Mapping[str, pulumi.Resource],
    platform: "PlatformLayer",
) -> dict[str, list[pulumi.Resource]]:
    """The workloads' part: claims, and the Job that fills them.

    Args:
        tokens: the Secret with the Hugging Face token, by namespace.

    Returns:
        What each model's servers wait for, by `<namespace>/<model>`.
    """
    settings = cluster.settings
    needs: dict[str, list[pulumi.Resource]] = {}
    for store in settings.storage.weights:
        volumes: Mapping[str, pulumi.Resource] = getattr(platform.storage.get(store.name), "volumes", {})
        claims = {
            namespace: _claims(store, namespace, gib, cluster, there=namespaces[namespace], volumes=volumes)
            for namespace, gib in (tenants(settings, store).items() if isinstance(store, WITH_CLAIM) else ())
        }
        jobs = _downloads(store, cluster, claims, tokens, platform) if written_by_job(store) else {}
        scripts = _scripts(store, cluster, namespaces) if isinstance(store, NvmeCacheWeights) else {}
        for model in users_of(settings, store):
            waits = needs.setdefault(f"{model.namespace}/{model.name}", [])
            waits += claims.get(model.namespace, {}).values()
            waits += [resource for resource in (jobs.get(job_key(model)), scripts.get(model.namespace)) if resource]
            rights = streamer_rights_name(store.name, model)
            waits += [platform.storage[rights]] if rights in platform.storage else []
    return needs


def _claims(
    store: Weights,
    namespace: str,
    gib: int,
    cluster: "Cluster",
    *,
    there: pulumi.Resource,
    volumes: Mapping[str, pulumi.Resource],
) -> dict[str, PersistentVolumeClaim]:
    """Claims of one namespace: of the readers, and of the writer where it has one of its own."""
    reader, writer = reader_claim(store.name), writer_claim(store.name)
    if isinstance(store, StorageClassWeights):
        specs = {reader: class_claim(store.storage_class, store.capacity_gib or gib, store.access_mode)}
    else:
        specs = {reader: bound_claim(volume_name(reader, namespace), gib, "ReadOnlyMany")}
        if isinstance(store, EfsWeights):
            specs[writer] = bound_claim(volume_name(writer, namespace), gib, "ReadWriteMany")
    made = {}
    for name, spec in specs.items():
        volume = volume_name(name, namespace)
        needs = [there, *([volumes[volume]] if volume in volumes else [])]
        metadata: Any = {"name": name, "namespace": namespace, "labels": LABELS}
        made[name] = PersistentVolumeClaim(
            f"{namespace}-{name}", metadata=metadata, spec=spec, opts=_options(cluster, needs)
        )
    return made


def _downloads(
    store: Weights,
    cluster: "Cluster",
    claims: Mapping[str, Mapping[str, PersistentVolumeClaim]],
    tokens: Mapping[str, pulumi.Resource],
    platform: "PlatformLayer",
) -> dict[str, ModelDownload]:
    """One Job for each model, revision and namespace, however many servers share it."""
    jobs: dict[str, ModelDownload] = {}
    for model in users_of(cluster.settings, store):
        there = claims[model.namespace]
        claim = writer_claim(store.name) if writer_claim(store.name) in there else reader_claim(store.name)
        args: ModelDownloadArgs = {
            "namespace": model.namespace,
            "store": store.name,
            "repository": model.model,
            "revision": model.revision or "",
            "size_gib": model.known_checkpoint_gib or 0.0,
            "image": DOWNLOAD_IMAGE,
            "claim_name": claim,
        }
        needs: list[pulumi.Resource] = [there[claim]]
        needs += [platform.cpu_pool] if platform.cpu_pool else []
        if model.gated:
            args["token_secret"] = {"name": TOKEN_SECRET, "key": TOKEN_KEY}
            needs.append(tokens[model.namespace])
        if job_key(model) not in jobs:
            name = f"{store.name}-{model.namespace}-{model.name}"
            jobs[job_key(model)] = ModelDownload(name, args, _options(cluster, needs))
    return jobs


def _scripts(
    store: NvmeCacheWeights, cluster: "Cluster", namespaces: Mapping[str, pulumi.Resource]
) -> dict[str, pulumi.Resource]:
    """The script that fills local disks, in each namespace with servers of the store."""
    return {
        namespace: ConfigMap(
            f"{namespace}-{store.name}-script",
            metadata={"name": scripts_name(store.name), "namespace": namespace, "labels": LABELS},
            data=script_spec(),
            opts=_options(cluster, [namespaces[namespace]]),
        )
        for namespace in sorted({model.namespace for model in users_of(cluster.settings, store)})
    }


def deploy_checkpoints(
    cluster: "Cluster", namespaces: Mapping[str, pulumi.Resource], platform: "PlatformLayer"
) -> list[pulumi.Resource]:
    """Claims and scripts of checkpoint stores, in the namespaces of the jobs."""
    made: list[pulumi.Resource] = []
    for store in cluster.settings.storage.checkpoints:
        args: CheckpointStoreArgs = {"namespace": store.namespace}
        if isinstance(store, BucketCheckpoints):
            continue  # jobs write with a client of S3; its rights are the platform's
        if isinstance(store, ScratchCheckpoints):
            args["scratch"] = True
        elif isinstance(store, StorageClassCheckpoints):
            args |= {"capacity_gib": store.capacity_gib, "storage_class": store.storage_class}
            args["access_mode"] = store.access_mode
        else:
            args |= {"capacity_gib": store.capacity_gib, "volume_namespace": store.namespace}
        needs: list[pulumi.Resource] = [namespaces[store.namespace]]
        needs += [platform.storage[store.name]] if store.name in platform.storage else []
        made.append(CheckpointStore(store.name, args, _options(cluster, needs)))
    return made


def _options(cluster: "Cluster", needs: list[Any]) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=needs)
