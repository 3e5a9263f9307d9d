"""Stochastic depth: samples skip residual branches in training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ccnn_geo.neighbors import Neighbors
from ccnn_geo.nn.conv.plan import PointPlan


class DropPath(nn.Module):
    r"""Skips a residual branch for a sample with probability :math:`p`, and scales the branch otherwise.

    .. math::
        y = \frac{m_s}{1 - p} \, h, \qquad m_s \sim \mathrm{Bernoulli}(1 - p) \text{ per sample } s

    In evaluation, and for :math:`p = 0`, it is the identity.

    Args:
        p: Probability, in [0, 1).

    Shapes:
        - **input and output:** a grid :math:`(B, C, *S)`, or points :math:`(N, C)`, a sample per cloud

    Raises:
        ValueError: If ``p`` is out of range.

    Source: Huang et al., 2016, `"Deep Networks with Stochastic Depth" <https://arxiv.org/abs/1603.09382>`_.

    Example:
        >>> drop = DropPath(0.5)
        >>> drop(torch.ones(64, 3)).unique().item() in (0.0, 2.0)  # the cloud is zeroed or doubled
        True
        >>> drop.eval()(torch.ones(4, 3)).unique()
        tensor([1.])
    """

    def __init__(self, p: float = 0.0) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"DropPath: expected p in [0, 1), got {p}")
        self.p = p

    def forward(
        self,
        h: Tensor,
        pos: Tensor | None = None,
        edge_index: Tensor | Neighbors | PointPlan | None = None,
        batch: Tensor | None = None,
        **_: Any,
    ) -> Tensor:
        """Drops samples; further arguments as for the branch's convolution; they tell which cloud a point is in."""
        if not self.training or self.p == 0:
            return h
        if isinstance(edge_index, PointPlan):
            batch = edge_index.batch[1]
        kept = torch.rand(h.size(0), device=h.device) >= self.p
        if h.dim() == 2:
            # one draw per point, more than there are clouds: no need to wait for their number
            kept = kept[:1] if batch is None else kept[batch % h.size(0)]
        return h * (kept / (1 - self.p)).to(h.dtype).view(-1, *[1] * (h.dim() - 1))

    def extra_repr(self) -> str:
        return f"p={self.p:g}"
