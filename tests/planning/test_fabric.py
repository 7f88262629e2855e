"""What a pod gets of its node's fabric, with the numbers where it asks for too much; and today's variables."""

import pytest

from infra.catalog.fabric import efa_layouts
from infra.catalog.instances import gpu_instance_types
from infra.errors import PlatformError
from infra.planning.fabric import OBSOLETE_VARIABLES, nccl_environment, obsolete_variables, pod_share


@pytest.mark.parametrize(
    ("instance_type", "gpus", "efa", "pages"),
    [
        ("p5.48xlarge", 8, 32, 5120),
        ("p5.48xlarge", 4, 16, 5120),
        ("p5.48xlarge", 1, 4, 1282),
        ("p6-b300.48xlarge", 8, 16, 5120),
        ("p4d.24xlarge", 2, 1, 2564),
        ("g6e.48xlarge", 8, 4, 5120),
        ("g5.12xlarge", 4, 1, 5120),
    ],
)
def test_a_pod_gets_as_large_a_share_of_efa_as_of_the_gpus(instance_type: str, gpus: int, efa: int, pages: int) -> None:
    share = pod_share(instance_type, gpus)

    assert (share.efa_interfaces, share.huge_pages_mib) == (efa, pages)


@pytest.mark.parametrize("instance_type", efa_layouts())
def test_pods_of_equal_shares_fit_their_node_together(instance_type: str) -> None:
    """Else the last of them waits for ever, beside GPUs that are free."""
    machine, layout = gpu_instance_types()[instance_type], efa_layouts()[instance_type]
    for gpus in range(1, machine.gpu_count + 1):
        if layout.efa_interfaces * gpus < machine.gpu_count:
            continue
        share = pod_share(instance_type, gpus)
        together = machine.gpu_count // gpus
        assert share.efa_interfaces * together <= layout.efa_interfaces
        assert share.huge_pages_mib * min(together, layout.efa_interfaces // share.efa_interfaces) <= 10256
        assert share.huge_pages_mib % 2 == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("g6e.2xlarge", 1), "g6e.2xlarge has 0 EFA interfaces"),
        (("p5.48xlarge", 8, 33), "a pod asks for 33 EFA interfaces, and a p5.48xlarge has 32"),
        (("p5.48xlarge", 8, 0), "a pod asks for 0 EFA interfaces, and a p5.48xlarge has 32"),
        (("p5.48xlarge", 9), "a pod asks for 9 GPUs, and a p5.48xlarge has 8"),
        (("g6e.48xlarge", 1), "1 of 8 GPUs of a g6e.48xlarge come to 0.5 of its 4 EFA interfaces, which pods cannot"),
        (
            ("p5.48xlarge", 8, None, 10258),
            "a pod asks for 10258 MiB of huge pages, and the EFA driver sets aside 10256",
        ),
        (("p5.48xlarge", 8, None, 5121), "a pod asks for 5121 MiB of huge pages"),
        (("p99.large", 1), "the catalogue has no GPU instance type p99.large"),
    ],
)
def test_more_than_the_node_has_is_refused_with_both_numbers(arguments: tuple[str, int], said: str) -> None:
    with pytest.raises(PlatformError, match=r".*") as raised:
        pod_share(*arguments)

    assert said in raised.value.message
    assert raised.value.mend


def test_huge_pages_that_do_not_reach_for_all_pods_of_a_node_are_noted_with_the_numbers() -> None:
    share = pod_share("p5.48xlarge", 2, huge_pages_mib=5120)

    assert share.notes[0] == (
        "4 such pods fit the GPUs of a p5.48xlarge, but only 2 its huge pages: 5120 MiB each of 10256 MiB"
    )
    assert pod_share("p5.48xlarge", 8).notes == ()


def test_todays_variables() -> None:
    assert nccl_environment("p5.48xlarge") == {
        "FI_PROVIDER": "efa",
        "FI_EFA_USE_HUGE_PAGE": "0",
        "NCCL_DEBUG": "INFO",
        "NCCL_SOCKET_IFNAME": "^docker,lo,veth",
        "NCCL_TUNER_PLUGIN": "/opt/amazon/ofi-nccl/lib/x86_64-linux-gnu/libnccl-ofi-tuner.so",
    }


@pytest.mark.parametrize(
    ("instance_type", "copies"),
    [("g5.48xlarge", True), ("g6.48xlarge", True), ("g6e.48xlarge", False), ("p5.48xlarge", False)],
)
def test_g5_and_g6_copy_by_the_copy_engine(instance_type: str, copies: bool) -> None:
    assert ("NCCL_SHM_USE_CUDA_MEMCPY" in nccl_environment(instance_type)) is copies


def test_without_efa_nothing_speaks_of_it() -> None:
    assert set(nccl_environment("p5.48xlarge", efa=False)) == {"NCCL_DEBUG", "NCCL_SOCKET_IFNAME"}


@pytest.mark.parametrize("name", OBSOLETE_VARIABLES)
@pytest.mark.parametrize("instance_type", ["p5.48xlarge", "p4d.24xlarge", "g5.48xlarge", "g6e.48xlarge"])
def test_what_is_obsolete_is_never_set(name: str, instance_type: str) -> None:
    assert name not in nccl_environment(instance_type)
    assert name not in nccl_environment(instance_type, efa=False)
    assert len(obsolete_variables(["PATH", name])[name]) > 20  # a reason, not a flag


def test_the_obsolete_ones_are_known_by_name() -> None:
    assert set(OBSOLETE_VARIABLES) >= {
        "FI_EFA_USE_DEVICE_RDMA", "FI_EFA_FORK_SAFE", "RDMAV_FORK_SAFE", "NCCL_PROTO", "NCCL_IB_DISABLE",
    }  # fmt: skip
