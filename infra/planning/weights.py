"""Names, paths and sizes that the writer of a model's weights and their readers agree on."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

# Where stores are mounted in a pod.
WEIGHTS_PATH = "/weights"

# Identities that the access points force upon writers and readers, whatever a container runs as: the writer owns the
# folder, readers are of its group and cannot write (mode 750). Our choice, above the ids that images use.
WRITER_UID = 10001
READER_UID = 10002
WEIGHTS_GID = 10000

# The Hub has to send at least this for the Job to end in time: a fifth of what one Job of four connections usually
# gets from its content network. Our judgement; the Job is resumable, so the next `up` goes on from there.
_SLOWEST_DOWNLOAD_MIB = 20
_SHORTEST_DEADLINE_SECONDS = 3600

# Free space in a claim beside the models, for the parts of the next revision. Our choice.
CLAIM_MARGIN = 0.1


@dataclass(frozen=True, slots=True)
class Weights:
    """One model at one commit.

    Attributes:
        repository: Hugging Face repository.
        revision: commit, 40 hexadecimal digits.
    """

    repository: str
    revision: str

    @property
    def folder(self) -> str:
        """Folder in a store: a new revision never overwrites one that is being served."""
        return f"{self.repository.replace('/', '--')}/{self.revision[:12]}"

    def job_name(self, store: str, script: str) -> str:
        """Name of the download Job: the same commit, store and script are the same Job, so it runs once for them.

        Args:
            script: what it runs.
        """
        digest = hashlib.sha256(f"{self.repository}@{self.revision}/{store}/{script}".encode()).hexdigest()
        short = "".join(char if char.isalnum() else "-" for char in self.repository.rpartition("/")[2].lower())
        return f"download-{short[:36].strip('-')}-{digest[:8]}"


def reader_claim(store: str) -> str:
    """The claim that servers mount, in each tenant's namespace."""
    return store


def writer_claim(store: str) -> str:
    """The claim that the download Job mounts."""
    return f"{store}-writer"


def volume_name(claim: str, namespace: str) -> str:
    """The PersistentVolume behind a claim; it has no namespace, so its name holds one."""
    return f"{claim}-{namespace}"


def claim_gib(sizes_gib: Iterable[float]) -> int:
    """Size of a claim in GiB for models of these sizes."""
    return max(1, math.ceil(sum(sizes_gib) * (1 + CLAIM_MARGIN)))


def download_deadline_seconds(size_gib: float) -> int:
    """Longest time of a download Job."""
    return max(_SHORTEST_DEADLINE_SECONDS, math.ceil(size_gib * 1024 / _SLOWEST_DOWNLOAD_MIB))
