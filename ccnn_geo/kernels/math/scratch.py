"""Memory that the chunks of a convolution reuse."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Scratch:
    """Tensors by name, with the type and device of a given one; the same name gets the same memory.

    An allocator returns large blocks to the system, and each page of a new block costs more time than writing
    it (on the CPU, several times the arithmetic of a chunk).
    """

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._blocks: dict[str, Tensor] = {}

    def __call__(self, name: str, *shape: int) -> Tensor:
        """Uninitialised memory."""
        size = math.prod(shape)
        block = self._blocks.get(name)
        if block is None or block.numel() < size:
            block = self._blocks[name] = self._like.new_empty(size)
        return block[:size].view(shape)

    def rows(self, name: str, values: Tensor, index: Tensor) -> Tensor:
        """``values[index]`` of ``values [N, C]``."""
        return torch.index_select(values, 0, index, out=self(name, index.numel(), values.size(1)))


class Fresh(Scratch):
    """New memory each time, for values that are kept."""

    def __call__(self, name: str, *shape: int) -> Tensor:
        return self._like.new_empty(shape)
