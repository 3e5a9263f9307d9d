"""Local CNN: small kernels, pooling after each block, and a depth tuned to the input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from ccnn_geo.experiments.baselines.discrete_cnn import DiscreteCNN, per_axis
from ccnn_geo.nn.blocks import CCNNBlock, FlexBlock

POOLS: Mapping[str, Mapping[int, Callable[..., Tensor]]] = {
    "max": {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d},
    "average": {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d},
}
"""Pooling functions by name and number of axes."""

POOLING_SIZE = 2


class LocalCNN(DiscreteCNN):
    r"""Traditional convolutional network: local kernels, downsampling after each block.

    .. math::
        h_0 = \mathrm{gelu}(\mathrm{norm}(\mathrm{conv}(x))), \quad
        h_l = \mathrm{pool}_2(\mathcal R_l(h_{l-1})), \quad
        y = W \, \mathrm{mean}(\mathrm{norm}(h_n)) + b

    with :func:`n <depth>` blocks, so that a cell of :math:`h_n` sees :math:`K 2^n \ge S` samples: the last cell sees
    all of a causal network's input, the middle cell all of a centred one's.

    Args:
        in_channels: Input channels.
        out_channels: Number of classes or regression targets.
        dim: Number of axes: 1, 2 or 3.
        size: Size of the input the depth is tuned to, one number or one per axis; the longest axis counts.
        hidden_channels: Width of the network.
        kernel_size: Taps :math:`K` along each axis.
        num_blocks: Number of residual blocks; by default :func:`depth`.
        readout: ``"global"`` (one output per sample) or ``"node"`` (one per remaining cell).
        block: ``"ccnn"``, ``"s4"`` or ``"flex"``.
        dropout: Dropout in the blocks.
        causal: Whether kernels see only the past (``dim == 1``).
        downsampling: ``"max"`` or ``"average"`` pooling.

    Shapes:
        - **input:** :math:`(B, C_{in}, *S)`
        - **output:** :math:`(B, C_{out})`, or with ``readout="node"``
          :math:`(B, C_{out}, \lceil S_1 / 2^n \rceil, \dots)`

    Raises:
        ValueError: If an argument is out of range, or the input does not fit.

    Source: `"Modelling Long Range Dependencies in ND" <https://arxiv.org/abs/2301.10540>`_, appendix D.1.1, Table 5.
    It does not name the pooling. Odd sizes are rounded up here, or a causal network would drop its newest samples.

    Example:
        >>> model = LocalCNN(3, 10, dim=1, size=1024, causal=True)
        >>> len(model.network.blocks)
        8
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dim: int,
        size: int | Sequence[int],
        hidden_channels: int = 140,
        kernel_size: int = 5,
        num_blocks: int | None = None,
        readout: str = "global",
        block: str = "ccnn",
        dropout: float = 0.0,
        causal: bool = False,
        downsampling: str = "max",
    ) -> None:
        if downsampling not in POOLS:
            raise ValueError(
                f"LocalCNN: expected downsampling to be one of {sorted(POOLS)}, got {downsampling!r}"
            )
        longest = max(per_axis(size, dim, "LocalCNN: expected size"))
        super().__init__(
            in_channels,
            out_channels,
            dim,
            kernel_size,
            hidden_channels,
            depth(longest, kernel_size) if num_blocks is None else num_blocks,
            readout,
            block,
            dropout,
            causal,
            method="direct",
        )
        for i, b in enumerate(self.network.blocks):
            self.network.set_submodule(f"blocks.{i}", Downsampled(b, downsampling))


class Downsampled(nn.Module):
    """A block followed by pooling of size 2, grids ``[B, C, *S]`` to ``[B, C, *ceil(S / 2)]``."""

    def __init__(self, block: CCNNBlock | FlexBlock, downsampling: str) -> None:
        super().__init__()
        self.block, self.downsampling = block, downsampling

    def reset_parameters(self) -> None:
        """Draws all parameters again."""
        self.block.reset_parameters()

    def forward(self, x: Tensor, **carrier: Any) -> Tensor:
        pool = POOLS[self.downsampling][x.dim() - 2]
        return pool(self.block(x, **carrier), POOLING_SIZE, ceil_mode=True)

    def extra_repr(self) -> str:
        return f"downsampling={self.downsampling!r}"


def depth(length: int, kernel_size: int = 5) -> int:
    r"""Computes the number of blocks of a Local CNN.

    .. math::
        n = \lceil d \rceil \quad \text{with the largest } d \text{ such that } \; S / 2^d \ge K

    At least 1. Source: appendix D.1.1, where lengths 1024, 4096, 8192 and 16000 give 8, 10, 11 and 12.

    Raises:
        ValueError: If the length or the kernel size is not positive.
    """
    if length < 1 or kernel_size < 1:
        raise ValueError(f"depth: expected length and kernel_size >= 1, got {length} and {kernel_size}")
    n = 1
    while kernel_size * POOLING_SIZE**n < length:
        n += 1
    return n
