"""A convolution that several kinds of data share, as one of them uses it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ccnn_geo.nn.conv.base import ContinuousConv
from ccnn_geo.nn.conv.unit_variance import FirstBatchScale


class KindConv(FirstBatchScale):
    r"""A shared convolution as one kind of data uses it: the same kernel, with a measure of its own.

    .. math::
        y(p_i) = W \Big( \alpha \sum_{j \in \mathcal N(i)} w_j \, k(p_i - p_j) \odot x(p_j) + b \Big) + c,
        \qquad \alpha = \Big( \operatorname{mean} \big( \textstyle\sum_j w_j k \odot x \big)^2 \Big)^{-1/2}

    The sum runs over 32 neighbours of a point or over hundreds of pixels. Its scale is that of the kind whose batch
    came first, so every kind multiplies it once by the :math:`\alpha` of its own first batch, a constant: outputs have
    unit variance on each kind (Sec. 4.1), and the kernel stays one function.

    Args:
        conv: The shared convolution.

    Shapes:
        As those of ``conv``.
    """

    scale_buffer, scaled_layer = "mean_square", "conv.kernel.network.output"
    mean_square: Tensor

    def __init__(self, conv: ContinuousConv) -> None:
        super().__init__()
        self.conv = conv
        self.register_buffer("mean_square", torch.zeros(()))

    @torch.no_grad()
    def set_scale(self, moment: Tensor | float) -> None:
        """Remembers the mean square of this kind's sums; the kernel is left alone, for it is shared."""
        self.mean_square.copy_(torch.as_tensor(moment).to(self.mean_square))
        self._scaled = True

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        y = self.conv.aggregate_neighbors(x, *args, **kwargs)
        if not self.is_scaled:
            self.measure_scale(y.detach(), centered=False)
        return self.conv.mix(y * self.mean_square.rsqrt() if self.is_scaled else y)

    def folded(self) -> ContinuousConv:
        """The convolution itself, its kernel multiplied by this kind's scale."""
        if self.is_scaled:
            before = self.conv.effective_taps.clone()
            self.conv.set_scale(self.mean_square)
            self.conv.effective_taps.mul_(before)
        return self.conv
