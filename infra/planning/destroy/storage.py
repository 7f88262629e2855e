"""What must outlive what where data is mounted.

A volume is kept while a claim is bound to it, and a claim while a pod mounts it (Kubernetes, storage object in use
protection). An NFS or Lustre client whose server is gone hangs, and the node with it: whatever mounts a file system
goes before the way to it.
"""

from collections.abc import Iterator
from typing import Any

from infra.conventions import PURPOSE_LABEL
from infra.plan import PlannedResource
from infra.planning.destroy.requirement import Found, Requirement, metadata, ordered
from infra.planning.destroy.servers import SERVERS, pod_of
from infra.planning.weights import WRITER_UID

FILE_SYSTEMS = ("aws:efs/fileSystem:FileSystem", "aws:fsx/lustreFileSystem:LustreFileSystem")
_WAYS = (
    "aws:efs/mountTarget:MountTarget",
    "aws:efs/fileSystemPolicy:FileSystemPolicy",
    "aws:fsx/dataRepositoryAssociation:DataRepositoryAssociation",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
)
_ASSOCIATION = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
_BUCKET = "aws:s3/bucket:Bucket"
_LINK = "aws:fsx/dataRepositoryAssociation:DataRepositoryAssociation"
_MOUNTPOINT_DRIVER = "s3.csi.aws.com"
_MOUNTPOINT_ACCOUNT = "s3-csi-driver-sa"


def rules(found: Found) -> Iterator[Requirement]:
    """Every requirement of storage."""
    yield from _volumes(found)
    yield from _ways(found)
    yield from _pods(found)
    yield from _buckets(found)


def _volumes(found: Found) -> Iterator[Requirement]:
    points = found.of("aws:efs/accessPoint:AccessPoint")
    for volume in found.objects("PersistentVolume"):
        yield from ordered(
            [volume], [point for point in points if _behind(point, volume)], "it is mounted through the access point"
        )
        claims = [item for item in found.objects("PersistentVolumeClaim") if _spec(item).get("volumeName")]
        mine = [item for item in claims if _spec(item)["volumeName"] == metadata(volume, "name")]
        yield from ordered(mine, [volume], "a volume is kept while a claim is bound to it")
        if _spec(volume).get("csi", {}).get("driver") == _MOUNTPOINT_DRIVER:
            rights = found.named(_ASSOCIATION, "serviceAccount", _MOUNTPOINT_ACCOUNT)
            yield from ordered([*mine, volume], rights, "the driver reads the bucket with these rights")


def _behind(point: PlannedResource, volume: PlannedResource) -> bool:
    """Whether the volume is the access point's: of its component, its tenant, and its writer or its readers."""
    spec, root, user = _spec(volume), point.inputs.get("rootDirectory"), point.inputs.get("posixUser")
    if point.parent != volume.parent or not isinstance(root, dict) or not isinstance(user, dict):
        return False
    same_tenant = root.get("path") == f"/tenants/{spec.get('claimRef', {}).get('namespace')}"
    return same_tenant and (user.get("uid") == WRITER_UID) != spec.get("csi", {}).get("readOnly")


def _ways(found: Found) -> Iterator[Requirement]:
    """Whatever knows a file system inside the cluster goes before the mount targets, rules and links of it."""
    for system in found.of(*FILE_SYSTEMS):
        ways = [item for item in found.of(*_WAYS) if item.parent == system.parent]
        users = [item for item in found.objects() if system.urn in found.read_by(item)]
        users += [item for item in found.of("aws:efs/accessPoint:AccessPoint") if system.urn in found.read_by(item)]
        yield from ordered(users, ways, "a client whose file system is out of reach hangs")
        targets = found.of("aws:efs/mountTarget:MountTarget")
        mine = [item for item in targets if item.parent == system.parent]
        yield from ordered(mine, [system], "EFS refuses to delete a file system with mount targets")


def _pods(found: Found) -> Iterator[Requirement]:
    """Pods go before their rights in AWS, and before the nodes that they ask for by purpose are drained."""
    for server in found.objects(*SERVERS):
        pod = pod_of(server)
        rights = [
            item
            for item in found.named(_ASSOCIATION, "serviceAccount", pod.get("serviceAccountName"))
            if item.inputs.get("namespace") == metadata(server, "namespace")
        ]
        yield from ordered([server], rights, "its pods act with these rights until they end")
        purpose = pod.get("nodeSelector", {}).get(PURPOSE_LABEL)
        pools = [item for item in found.objects("NodePool") if _purpose(item) == purpose and purpose]
        names = {f"--pool={metadata(pool, 'name')}" for pool in pools}
        hooks = [hook for hook in found.hooks("drain") if names & set(str(hook.inputs["delete"]).split())]
        yield from ordered([server], hooks, "its pods end before their nodes are drained")


def _buckets(found: Found) -> Iterator[Requirement]:
    """What names a bucket by a name that the program chose."""
    for bucket in found.of(_BUCKET):
        name = str(bucket.inputs.get("bucket"))
        holders = [item for item in found.objects("PersistentVolume") if _bucket_of(item) == name]
        links = [item for item in found.of(_LINK) if f"s3://{name}/" in str(item.inputs.get("dataRepositoryPath"))]
        parts = [item for item in found.all if item.inputs.get("bucket") == name and item.type_token != _BUCKET]
        yield from ordered(parts, [bucket], "it is part of the bucket")
        yield from ordered([*holders, *links], [bucket, *parts], "the bucket stays as it is while it is in use")
        policies = [item for item in parts if item.type_token == "aws:s3/bucketPolicy:BucketPolicy"]  # noqa: S105
        blocks = [item for item in parts if item.type_token.endswith(":BucketPublicAccessBlock")]
        yield from ordered(policies, blocks, "S3 refuses to change both at once")


def _spec(item: PlannedResource) -> dict[str, Any]:
    spec = item.inputs.get("spec")
    return spec if isinstance(spec, dict) else {}


def _purpose(pool: PlannedResource) -> object:
    template: Any = _spec(pool).get("template", {})
    return template.get("metadata", {}).get("labels", {}).get(PURPOSE_LABEL)


def _bucket_of(volume: PlannedResource) -> str:
    attributes: Any = _spec(volume).get("csi", {}).get("volumeAttributes") or {}
    return str(attributes.get("bucketName", ""))
