"""Fresh memory for large results."""

import math

import numpy as np
import torch
from torch import Tensor

LARGE = 1 << 20
"""Numbers from which the first touch of fresh small pages takes longer than what is computed into them."""
LINE = 16
"""Numbers of a cache line, at which all memory begins."""


def empty(*shape: int) -> Tensor:
    """Memory on the CPU, float32; large ones on huge pages where the system has them (six times as fast to touch)."""
    size = math.prod(shape)
    if size < LARGE:
        return torch.empty(shape, dtype=torch.float32)
    block = torch.from_numpy(
        np.empty(size + LINE, dtype=np.float32)
    )  # numpy asks for huge pages, torch does not
    skipped = -(block.data_ptr() // 4) % LINE
    return block[skipped : skipped + size].view(shape)


def zeros(*shape: int) -> Tensor:
    """The same, filled with zeros."""
    return empty(*shape).zero_()
