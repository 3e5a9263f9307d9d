"""A convolution shared by several kinds of data, as one of them uses it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ccnn_geo.nn.conv.base import ContinuousConv
from ccnn_geo.nn.conv.unit_variance import UnitVariance, take_unscaled_weights
from ccnn_geo.nn.old_keys import accept_old_keys


class SharedConv(nn.Module):
    r"""A shared convolution as one kind of data uses it: the same kernel, with its own scale.

    .. math::
        y(p_i) = W \Big( \alpha \sum_{j \in \mathcal N(i)} w_j \, k(p_i - p_j) \odot x(p_j) + b \Big) + c,
        \qquad \alpha = \Big( \operatorname{mean} \big( \textstyle\sum_j w_j k \odot x \big)^2 \Big)^{-1/2}

    The sum runs over 32 neighbours of a point or over hundreds of pixels, and the kind with the first batch has set the
    kernel's scale. So each kind multiplies the sum by a constant :math:`\alpha` from its own first batch: outputs have
    unit variance for each kind (Sec. 4.1), and the kernel stays one function.

    Args:
        conv: The shared convolution.

    Shapes:
        As for ``conv``.
    """

    def __init__(self, conv: ContinuousConv) -> None:
        super().__init__()
        self.conv = conv
        self.scale = UnitVariance()
        accept_old_keys(self, {"mean_square": "scale.moment"})
        take_unscaled_weights(self, "conv.kernel.network.output.weight")

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        y = self.conv.aggregate_neighbors(x, *args, **kwargs)
        scale = self.scale
        if not scale.is_known and (moment := scale.measure(y.detach(), centered=False)) is not None:
            scale.set(moment)  # leaves the kernel unchanged, because it is shared
        return self.conv.mix(y * scale.moment.rsqrt() if scale.is_known else y)

    def folded(self) -> ContinuousConv:
        """The convolution itself, with its kernel multiplied by this kind's scale."""
        if self.scale.is_known:
            before = self.conv.scale.moment.clone()
            self.conv.set_scale(self.scale.moment)
            self.conv.scale.set(self.scale.moment * before)
        return self.conv
