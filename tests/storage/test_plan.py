"""What stores make: encrypted and closed in AWS, read only for servers, a Job that nothing but a CPU node runs."""

import json
from typing import Any

import pytest

from infra.plan import Plan
from stacks.evaluation import evaluate_split
from tests.evaluation.conftest import no_waiting_for_ever
from tests.storage.examples import VARIANTS, example, one_model, plan, store

__all__ = ["no_waiting_for_ever"]

Json = dict[str, Any]


def one(made: Plan, token: str, name: str = "") -> Any:
    (found,) = [item for item in made if item.type_token.endswith(token) and item.name.startswith(name)]
    return found.inputs


def all_of(made: Plan, token: str) -> list[Any]:
    return [item.inputs for item in made if item.type_token.endswith(token)]


def pod(made: Plan, name: str) -> Json:
    return dict(one(made, ":Deployment", name)["spec"]["template"]["spec"])


@pytest.fixture(scope="module")
def efs() -> Plan:
    return plan()


# --- EFS --------------------------------------------------------------------------------------------------------------


def test_the_file_system_is_encrypted_elastic_and_in_every_zone(efs: Plan) -> None:
    system = one(efs, "fileSystem:FileSystem")
    targets = [item for item in efs if item.type_token.endswith(":MountTarget")]

    assert (system["encrypted"], system["throughputMode"], system["performanceMode"]) == (
        True,
        "elastic",
        "generalPurpose",
    )
    assert system["kmsKeyId"].startswith("arn:aws:kms")
    assert [item.name for item in targets] == ["weights-usw2-az1", "weights-usw2-az2"]
    assert len({str(item.inputs["subnetId"]) for item in targets}) == 2


def test_only_nodes_reach_it_and_only_by_nfs(efs: Plan) -> None:
    rules = [item for item in efs if item.parent.endswith(":ModelWeights::weights")]
    (rule,) = [item.inputs for item in rules if item.type_token.endswith(":SecurityGroupIngressRule")]

    assert (rule["fromPort"], rule["toPort"], rule["ipProtocol"]) == (2049, 2049, "tcp")
    assert "cidrIpv4" not in rule
    assert str(rule["referencedSecurityGroupId"]).startswith("sg-")
    assert not [item for item in rules if item.type_token.endswith(":SecurityGroupEgressRule")]


def test_nobody_mounts_it_in_clear_or_past_an_access_point(efs: Plan) -> None:
    allowed, denied = json.loads(one(efs, ":FileSystemPolicy")["policy"])["Statement"]

    assert "elasticfilesystem:AccessPointArn" in allowed["Condition"]["ArnLike"]
    assert "elasticfilesystem:ClientRootAccess" not in allowed["Action"]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_each_tenant_has_its_own_folder_and_readers_cannot_write(efs: Plan) -> None:
    points = all_of(efs, ":AccessPoint")
    by_tenant: dict[str, list[Json]] = {}
    for point in points:
        by_tenant.setdefault(point["rootDirectory"]["path"], []).append(point)

    assert set(by_tenant) == {"/tenants/chat", "/tenants/models"}
    for pair in by_tenant.values():
        users = {point["posixUser"]["uid"] for point in pair}
        (created,) = {json.dumps(point["rootDirectory"]["creationInfo"]) for point in pair}
        owner = json.loads(created)
        assert len(users) == 2
        assert owner["ownerUid"] in users
        assert owner["permissions"] == "750"  # the other is of the group: it reads
        assert 0 not in users


def test_the_writer_writes_and_the_servers_only_read(efs: Plan) -> None:
    volumes = {item["metadata"]["name"]: item["spec"] for item in all_of(efs, ":PersistentVolume")}
    claims = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): item["spec"]
        for item in all_of(efs, ":PersistentVolumeClaim")
    }

    for (namespace, name), claim in claims.items():
        volume = volumes[claim["volumeName"]]
        assert volume["claimRef"]["namespace"] == namespace and volume["claimRef"]["name"] == name
        assert volume["accessModes"] == claim["accessModes"]
        assert claim["storageClassName"] == ""
        assert volume["persistentVolumeReclaimPolicy"] == "Retain"
        assert volume["csi"]["volumeHandle"].count("::fsap-") == 1
    assert claims["models", "weights"]["accessModes"] == ["ReadOnlyMany"]
    assert claims["models", "weights-writer"]["accessModes"] == ["ReadWriteMany"]
    found = pod(efs, "qwen3-32b")
    (volume,) = [item for item in found["volumes"] if "persistentVolumeClaim" in item]
    (mount,) = [item for item in found["containers"][0]["volumeMounts"] if item["name"] == volume["name"]]
    assert volume["persistentVolumeClaim"] == {"claimName": "weights", "readOnly": True}
    assert mount["readOnly"] is True


def test_the_storage_class_is_for_access_points_and_retains(efs: Plan) -> None:
    found = one(efs, ":StorageClass")

    assert (found["provisioner"], found["reclaimPolicy"]) == ("efs.csi.aws.com", "Retain")
    assert found["parameters"]["provisioningMode"] == "efs-ap"
    assert found["parameters"]["fileSystemId"].startswith("fs-")
    assert {"directoryPerms", "uid", "gid"} <= set(found["parameters"])


# --- the download -----------------------------------------------------------------------------------------------------


def test_the_download_is_confined_pinned_and_needs_no_gpu(efs: Plan) -> None:
    job = one(efs, ":Job", "weights-models")["spec"]
    found = job["template"]["spec"]
    (container,) = found["containers"]

    assert f"--revision={example().settings.models[0].revision}" in container["command"]
    assert "tolerations" not in found
    assert not [key for key in container["resources"]["requests"] if "gpu" in key]
    assert found["nodeSelector"] == {"gpu-platform/purpose": "cpu"}
    assert found["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"} <= set(job)


def test_what_the_config_map_holds_is_the_tested_script_and_the_image_holds_python(efs: Plan) -> None:
    from tests.storage.test_download import SCRIPT

    config = one(efs, ":ConfigMap", "weights-models")
    (container,) = one(efs, ":Job", "weights-models")["spec"]["template"]["spec"]["containers"]

    assert config["data"] == {"download.py": SCRIPT.read_text(encoding="utf-8")}
    assert container["command"][:2] == ["python3", "/scripts/download.py"]
    assert "/python:3.12" in container["image"]


def test_the_token_comes_from_a_secret_and_goes_to_the_download_only(efs: Plan) -> None:
    (container,) = one(efs, ":Job", "weights-chat")["spec"]["template"]["spec"]["containers"]
    server = pod(efs, "llama-8b")["containers"][0]

    (token,) = container["env"]
    assert token["valueFrom"]["secretKeyRef"] == {"name": "hugging-face", "key": "token"}
    assert "HF_TOKEN" not in {item["name"] for item in server["env"]}


def test_another_commit_is_another_job_and_another_folder(efs: Plan) -> None:
    def change(settings: Json) -> None:
        settings["models"][0]["revision"] = "f" * 40

    before, after = one(efs, ":Job", "weights-models"), one(plan(change), ":Job", "weights-models")

    assert before["metadata"]["name"] != after["metadata"]["name"]
    assert (
        before["spec"]["template"]["spec"]["containers"][0]["command"]
        != (after["spec"]["template"]["spec"]["containers"][0]["command"])
    )


def test_servers_wait_for_the_marker_and_ask_the_hub_for_nothing(efs: Plan) -> None:
    found = pod(efs, "qwen3-32b")
    (wait,) = found["initContainers"]
    engine = found["containers"][0]
    (marker,) = wait["env"]

    assert marker["value"] == f"{engine['args'][0]}/.complete.json"
    assert {"name": "HF_HUB_OFFLINE", "value": "1"} in engine["env"]
    assert not [word for word in engine["args"] if word.startswith("--revision")]
    deployment = next(item for item in efs if item.name == "qwen3-32b-deployment")
    component = next(item for item in efs if item.urn == deployment.parent)
    jobs = [item.urn for item in efs if item.type_token.endswith(":Job")]
    assert set(jobs) & set(component.dependencies)


# --- the alternatives -------------------------------------------------------------------------------------------------


def test_a_streamer_has_flags_an_address_and_the_right_to_its_prefix_only() -> None:
    made = plan(*VARIANTS["s3-streamer"])
    engine = pod(made, "qwen3-32b")["containers"][0]
    extra = next(word for word in engine["args"] if word.startswith("--model-loader-extra-config="))
    policy = json.loads(
        next(str(item.inputs["policy"]) for item in made if item.name == "weights-models-qwen3-32b-rights-read")
    )

    assert engine["args"][0] == "s3://gpu-weights-models/models/qwen3-32b"
    assert "--load-format=runai_streamer" in engine["args"]
    assert json.loads(extra.partition("=")[2]) == {"concurrency": 17, "distributed": True}  # 65.5 GB / 4
    assert {"RUNAI_STREAMER_CHUNK_BYTESIZE", "AWS_REGION"} <= {item["name"] for item in engine["env"]}
    actions = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert actions == {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"}
    assert policy["Statement"][1]["Resource"] == ["arn:aws:s3:::gpu-weights-models/models/qwen3-32b/*"]


def test_a_bucket_is_encrypted_closed_and_speaks_tls_only() -> None:
    made = plan(*VARIANTS["s3-streamer"])
    block = one(made, ":BucketPublicAccessBlock")
    (denied,) = json.loads(one(made, ":BucketPolicy")["policy"])["Statement"]
    (rule,) = one(made, ":BucketServerSideEncryptionConfiguration")["rules"]

    assert all(value is True for key, value in block.items() if key.startswith(("block", "ignore", "restrict")))
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"


def test_mountpoint_volumes_are_static_and_read_only() -> None:
    made = plan(*VARIANTS["s3-mountpoint"])

    for volume in all_of(made, ":PersistentVolume"):
        assert volume["spec"]["csi"]["driver"] == "s3.csi.aws.com"
        assert "read-only" in volume["spec"]["mountOptions"]
        assert "prefix models/" in volume["spec"]["mountOptions"]
    association = next(item for item in made if item.name == "mountpoint-rights-association")
    assert association.inputs["serviceAccount"] == "s3-csi-driver-sa"


@pytest.mark.parametrize("variant", ["nvme-cache", "nvme-cache from efs"])
def test_a_cache_is_filled_before_the_engine_starts_and_is_no_host_path(variant: str) -> None:
    found = pod(plan(*VARIANTS[variant]), "qwen3-32b")
    (fill,) = found["initContainers"]
    volumes = {item["name"]: item for item in found["volumes"]}

    assert volumes["model-files"]["emptyDir"]["sizeLimit"] == "68Gi"
    assert found["containers"][0]["resources"]["requests"]["ephemeral-storage"] == "78Gi"  # the copy and the caches
    assert not [item for item in found["volumes"] if "hostPath" in item]
    assert fill["command"][2] == ("copy" if "efs" in variant else "fetch")
    assert fill["command"][-1].endswith(found["containers"][0]["args"][0])


def test_an_oci_artifact_is_an_image_volume() -> None:
    found = pod(plan(*VARIANTS["oci-image"]), "qwen3-32b")

    assert {"name": "model-files", "image": {"reference": "registry.example/weights:v1"}} in found["volumes"]
    assert found["containers"][0]["args"][0] == "/weights"


def test_any_storage_class_gets_one_claim_that_the_job_writes_to() -> None:
    made = plan(store(kind="storage-class", storageClass="ceph"), one_model)
    (claim,) = all_of(made, ":PersistentVolumeClaim")

    assert claim["spec"]["storageClassName"] == "ceph"
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert one(made, ":Job", "weights")["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"] == {
        "claimName": "weights"
    }


def test_lustre_is_persistent_linked_and_claimed() -> None:
    made = plan(*VARIANTS["checkpoints"])
    system, link = one(made, "/lustreFileSystem:LustreFileSystem"), one(made, ":DataRepositoryAssociation")
    volume = next(
        item["spec"] for item in all_of(made, ":PersistentVolume") if item["spec"]["csi"]["driver"] == "fsx.csi.aws.com"
    )

    assert (system["deploymentType"], system["storageCapacity"]) == ("PERSISTENT_2", 2400)
    assert link["dataRepositoryPath"] == "s3://gpu-weights-checkpoints/"
    assert link["s3"]["autoExportPolicy"]["events"] == ["NEW", "CHANGED", "DELETED"]
    assert volume["csi"]["volumeAttributes"]["dnsname"].endswith(".fsx.us-west-2.amazonaws.com")


@pytest.mark.parametrize("variant", ["efs", "s3-mountpoint", "checkpoints"])
def test_split_over_stacks_a_store_is_the_same(variant: str) -> None:
    stack = example(*VARIANTS[variant])
    parts = evaluate_split(stack, "stand-in")

    def objects(*plans: Plan) -> dict[tuple[str, str], Json]:
        return {
            (item.type_token, item.name): dict(item.inputs)
            for made in plans
            for item in made
            if not item.type_token.startswith("pulumi:") and item.name != "guard"
        }

    assert objects(*parts.values()) == objects(plan(*VARIANTS[variant]))
    assert ("storageIds" in parts["foundation"].exports) == (variant != "s3-mountpoint")
