"""How large the checkpoints of a training job are."""

# Mixed-precision training with Adam keeps, for each 2-byte parameter of the checkpoint, a 4-byte master copy and two
# 4-byte moments: 14 bytes in all. Source: Rajbhandari et al. 2020 (ZeRO), section 3.1, without the gradients.
_BYTES_BESIDE_PARAMETER = 7


def checkpoint_gib(weights_gib: float, *, optimizer: bool) -> float:
    """Size of one checkpoint in GiB.

    Args:
        weights_gib: the model in 16 bits.
        optimizer: whether optimizer states are written too.
    """
    return weights_gib * (_BYTES_BESIDE_PARAMETER if optimizer else 1)


def needed_gib(weights_gib: float, *, optimizer: bool, keep: int) -> float:
    """Room in GiB for `keep` checkpoints and the one that is being written."""
    return checkpoint_gib(weights_gib, optimizer=optimizer) * (keep + 1)
