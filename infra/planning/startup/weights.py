"""Seconds from a ready container to weights in GPU memory, for each kind of storage."""

from dataclasses import dataclass

from infra.catalog.startup import startup_figures
from infra.planning.startup.ranges import Rate, Seconds, merged, slowest

_GBIT_IN_MIB = 1e9 / 8 / 2**20


@dataclass(frozen=True, slots=True)
class Load:
    """What is loaded, and by what.

    Attributes:
        size_gib: size of the checkpoint.
        tensor_parallel: ranks of the server.
        memory_gib: memory of the server, which is also its page cache.
        network_gbps: baseline network bandwidth of the machine.
        nvme: whether the machine has local NVMe.
        servers: servers that start at the same time and share a file system.
    """

    size_gib: float
    tensor_parallel: int = 1
    memory_gib: float = float("inf")
    network_gbps: float = float("inf")
    nvme: bool = True
    servers: int = 1

    @property
    def size_mib(self) -> float:
        """Size of the checkpoint in MiB."""
        return self.size_gib * 1024

    @property
    def read_mib(self) -> float:
        """What is read through a file system.

        Every rank reads the whole checkpoint (vLLM, conserving memory). While the page cache holds it, the machine
        fetches it once (modelplane 204: 894 GiB by 8 ranks a node in the time of one reading); else once a rank.
        """
        return self.size_mib * (1 if self.size_gib <= self.memory_gib else self.tensor_parallel)

    @property
    def network(self) -> Rate:
        """The machine's network, as far as one reader fills it."""
        return _share("s3-network-share", self.network_gbps * _GBIT_IN_MIB)


def efs(load: Load, *, elastic: bool = True, driver: bool = True, stored_gib: float | None = None) -> Seconds:
    """From EFS.

    Args:
        driver: mounted by the CSI driver or efs-utils 2, which lifts the limit of a client.
        stored_gib: what a bursting file system holds in all; default: this model alone.
    """
    if not elastic:
        tib = (load.size_gib if stored_gib is None else stored_gib) / 1024
        return _scaled("efs-bursting-tib", tib).shared(load.servers).seconds(load.read_mib)
    client = _rate("efs-elastic-client" if driver else "efs-plain-client")
    whole = _rate("efs-file-system").shared(load.servers)
    wire = _share("stated-share", load.network_gbps * _GBIT_IN_MIB)
    return slowest([client, whole, wire]).seconds(load.read_mib)


def s3_streamer(load: Load, threads: int | None = None) -> Seconds:
    """From S3, streamed; each byte is read once, whatever the ranks.

    Args:
        threads: reading threads; default: with 4 GiB chunks as AWS advises, when the network is the limit.
    """
    limits = [load.network, *([_scaled("s3-thread", threads)] if threads else [])]
    return slowest(limits).seconds(load.size_mib)


def s3_mountpoint(load: Load) -> Seconds:
    """From S3, mounted."""
    return _share("mountpoint-network-share", load.network_gbps * _GBIT_IN_MIB).seconds(load.read_mib)


def local(load: Load) -> Seconds:
    """From the machine's own disks: NVMe, else its root volume."""
    return _rate("nvme" if load.nvme else "block-volume").seconds(load.read_mib)


def from_hub(load: Load) -> Seconds:
    """Downloaded by each server for itself, then read from local disks."""
    return _rate("hub").seconds(load.size_mib) + local(load)


def copied(load: Load, source: Seconds) -> Seconds:
    """Copied to local disks at the pace of the source, verified, then read from there."""
    checked = _rate("copy-verify").seconds(load.size_mib)
    fill = Seconds(
        max(source.low, checked.low), max(source.high, checked.high), merged(source.sources, checked.sources)
    )
    return fill + local(load)


def oci_image(load: Load, *, soci: bool = True) -> Seconds:
    """Pulled like an image, unpacked, then read from local disks."""
    return _rate("image-pull-soci" if soci else "image-pull").seconds(load.size_mib) + local(load)


def stated(load: Load, gib_per_second: float) -> Seconds:
    """From a file system whose throughput somebody stated, in GiB/s for one server."""
    return _share("stated-share", gib_per_second * 1024).seconds(load.read_mib)


def node() -> Seconds:
    """From a pending pod to a node that takes it."""
    figure = startup_figures()["node-launch"]
    return Seconds(figure.low, figure.high, figure.sources)


def image(how: str) -> Seconds:
    """Pulling the engine's image.

    Args:
        how: `plain`, `soci` (parallel pull and unpack), or `cached` (in the node's volume snapshot).
    """
    figures = startup_figures()
    if how == "cached":
        return Seconds(figures["image-cached"].low, figures["image-cached"].high, figures["image-cached"].sources)
    size = figures["image-size"]
    pulled = _rate("image-pull" if how == "plain" else "image-pull-soci").seconds(size.high)
    return Seconds(pulled.low, pulled.high, merged(size.sources, pulled.sources))


def _rate(key: str) -> Rate:
    return _scaled(key, 1)


def _scaled(key: str, by: float) -> Rate:
    figure = startup_figures()[key]
    return Rate(figure.low * by, figure.high * by, figure.sources)


def _share(key: str, of: float) -> Rate:
    """A share of a throughput in MiB/s."""
    return _scaled(key, of)
