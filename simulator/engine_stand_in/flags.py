"""The flags that a stand-in knows: those of the engine's version in the catalogue, and no other."""

from infra.catalog.engines import VLLM

# What the stand-in obeys itself.
_OBEYED = ("--model", "--max-num-seqs", "--max-num-queued-reqs", "--max-num-queued-tokens")


def known_flags() -> set[str]:
    """Every flag of the engine's version."""
    named = {value for name in VLLM.__slots__ if name.endswith("_flag") for value in [getattr(VLLM, name)]}
    return {*named, *_OBEYED}
