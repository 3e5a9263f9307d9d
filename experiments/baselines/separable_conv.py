"""A depthwise separable convolution with discrete kernels of any size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ccnn_geo.functional.grid.conv import grid_conv
from ccnn_geo.functional.pointwise.linear import channel_linear


class SeparableConv(nn.Module):
    r"""The discrete twin of :class:`~ccnn_geo.nn.conv.layers.SepFlexConv`: one free parameter per tap and channel.

    .. math::
        y[n] = W \Big( \sum_t k[t] \odot x[n - (t - m)] + b \Big) + c

    with :math:`m = 0` for a causal kernel, :math:`\lfloor K_d / 2 \rfloor` for a centred one, and :math:`x`
    zero outside the grid. Taps have variance :math:`1 / \prod_d K_d` (Sec. 4.1), which preserves the variance of white
    signals.

    Args:
        in_channels: Input channels :math:`C_{in}`.
        out_channels: Output channels :math:`C_{out}`.
        kernel_size: Taps :math:`K_d` along each of the 1 to 3 axes.
        causal: Whether the kernel sees only the past (one axis).
        method: ``"fft"``, ``"direct"``, or ``"auto"``.

    Shapes:
        - **input:** :math:`(B, C_{in}, *S)`
        - **output:** :math:`(B, C_{out}, *S)`

    Raises:
        ValueError: If an argument is out of range, or the input does not fit.

    Source: the Global and Local CNN of the CCNN paper, appendix D.1.1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sequence[int],
        causal: bool = False,
        method: str = "auto",
    ) -> None:
        super().__init__()
        kernel_size = tuple(kernel_size)
        if in_channels < 1 or out_channels < 1:
            raise ValueError(
                f"SeparableConv: expected channels >= 1, got in={in_channels}, out={out_channels}"
            )
        if not 1 <= len(kernel_size) <= 3 or min(kernel_size) < 1:
            raise ValueError(f"SeparableConv: expected 1 to 3 kernel sizes >= 1, got {kernel_size}")
        if causal and len(kernel_size) != 1:
            raise ValueError(f"SeparableConv: a causal kernel has one axis, got kernel_size {kernel_size}")
        if method not in ("auto", "fft", "direct"):
            raise ValueError(f"SeparableConv: expected method 'auto', 'fft' or 'direct', got {method!r}")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.causal, self.method = kernel_size, causal, method
        self.center = (0,) if causal else tuple(k // 2 for k in kernel_size)
        self.weight = nn.Parameter(torch.empty(in_channels, *kernel_size))
        self.bias = nn.Parameter(torch.empty(in_channels))
        self.pointwise = nn.Linear(in_channels, out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters again; all but the taps like :class:`~ccnn_geo.nn.conv.layers.SepFlexConv`."""
        nn.init.normal_(self.weight, std=math.prod(self.kernel_size) ** -0.5)
        nn.init.zeros_(self.bias)
        nn.init.normal_(self.pointwise.weight, std=self.in_channels**-0.5)
        nn.init.zeros_(self.pointwise.bias)

    def forward(self, x: Tensor, spacing: None = None) -> Tensor:
        """Convolves a grid. Blocks pass on its ``spacing``, which must be None: taps are counted, not measured."""
        dim = len(self.kernel_size)
        if x.dim() != dim + 2 or x.size(1) != self.in_channels:
            axes = ", ".join(f"S{d}" for d in range(dim))
            raise ValueError(
                f"SeparableConv: expected a grid [batch, {self.in_channels}, {axes}], got {list(x.shape)}"
            )
        if spacing is not None:
            raise ValueError(f"SeparableConv: discrete kernels have no spacing, got {spacing}")
        with torch.autocast(x.device.type, enabled=False):  # FFTs need full precision
            y = grid_conv(x.to(self.weight.dtype), self.weight, self.center, self.method)
        return channel_linear(y, self.pointwise, shift=self.bias)

    def extra_repr(self) -> str:
        causal = ", causal=True" if self.causal else ""
        return f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}{causal}"
