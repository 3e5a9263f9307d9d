"""CCNN with discrete kernels in place of the continuous ones, and nothing else changed."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ccnn_geo.experiments.baselines.separable_conv import SeparableConv
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.conv.layers import SepFlexConv


class DiscreteCNN(nn.Module):
    r"""A :class:`~ccnn_geo.nn.ccnn.CCNN` with a :class:`SeparableConv` as every convolution.

    Stem, blocks, norms, readout, head and their initialisation are the CCNN's own modules, kept in
    ``network``; only the kernels differ, and with them the number of parameters.

    Args:
        in_channels: Input channels.
        out_channels: Number of classes or regression targets.
        dim: Number of axes: 1, 2 or 3.
        kernel_size: Taps of every kernel, one number or one per axis.
        hidden_channels: Width of the network.
        num_blocks: Number of residual blocks.
        readout: ``"global"`` (one output per sample) or ``"node"`` (one per cell).
        block: ``"ccnn"``, ``"s4"`` or ``"flex"``.
        dropout: Dropout in the blocks.
        causal: Whether kernels see only the past (``dim == 1``).
        method: ``"fft"``, ``"direct"``, or ``"auto"``.

    Shapes:
        - **input:** :math:`(B, C_{in}, *S)`
        - **output:** :math:`(B, C_{out})`, or :math:`(B, C_{out}, *S)` with ``readout="node"``

    Raises:
        ValueError: If an argument is out of range, or the input does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dim: int,
        kernel_size: int | Sequence[int],
        hidden_channels: int = 140,
        num_blocks: int = 4,
        readout: str = "global",
        block: str = "ccnn",
        dropout: float = 0.0,
        causal: bool = False,
        method: str = "auto",
    ) -> None:
        super().__init__()
        kernel_size = per_axis(kernel_size, dim, f"{type(self).__name__}: expected kernel_size")
        self.network = CCNN(
            in_channels,
            out_channels,
            dim,
            hidden_channels,
            num_blocks,
            kernel_hidden=1,  # these kernels are thrown away
            readout=readout,
            block=block,
            dropout=dropout,
        )
        for name, conv in list(self.network.named_modules()):
            if isinstance(conv, SepFlexConv):
                discrete = SeparableConv(conv.in_channels, conv.out_channels, kernel_size, causal, method)
                self.network.set_submodule(name, discrete)

    def reset_parameters(self) -> None:
        """Draws all parameters again."""
        self.network.reset_parameters()

    @property
    def convs(self) -> list[SeparableConv]:
        """All convolutions, from the stem to the last block."""
        return [m for m in self.modules() if isinstance(m, SeparableConv)]

    def forward(self, x: Tensor) -> Tensor:
        """Applies the network to a grid."""
        return self.network(x)


def per_axis(value: int | Sequence[int], dim: int, expected: str) -> tuple[int, ...]:
    """One positive number for each of ``dim`` axes, from one number or one per axis."""
    values = (value,) * dim if isinstance(value, int) else tuple(value)
    if len(values) != dim or min(values, default=0) < 1:
        raise ValueError(f"{expected} to be one number >= 1 or {dim} of them, got {value}")
    return values
