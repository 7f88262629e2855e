"""Where what an engine has compiled may be kept, and for whom it is any good.

vLLM keeps what torch.compile, Triton and FlashInfer's tuning have made under one folder, and looks in it under a hash
of its own: of the model, the configuration, the environment and what PyTorch says of the GPU (vLLM 0.33
compilation/backends.py and compiler_interface.py). It writes a file aside and renames it (compilation/decorators.py),
so that servers which start together may share a folder. Not everything below the folder is hashed, and no hash knows
the image; so each image, GPU and set of arguments has a folder of its own, and a rollback finds the old one again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

# Where the volume is mounted in an engine's container.
CACHE_PATH = "/compile-cache"


@dataclass(frozen=True, slots=True)
class CacheVariables:
    """Environment variables of one engine: `folder` moves the cache, `disable` with the value 1 turns it off."""

    folder: str
    disable: str


# Engine -> its variables. Source: vLLM 0.33.0 envs.py. Of other engines none is confirmed.
CACHE_VARIABLES = {"vllm": CacheVariables("VLLM_CACHE_ROOT", "VLLM_DISABLE_COMPILE_CACHE")}


def cache_key(image: str, gpu: str, arguments: Sequence[str]) -> str:
    """Name of the folder for one image, GPU and set of arguments: 16 hexadecimal digits.

    An image by tag alone is taken at its word: where a tag is moved, the folder stays.
    """
    text = "\0".join([image, gpu, *arguments])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
