"""The head of a network: turns features into outputs, per sample or per point."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ccnn_geo.functional.pointwise.linear import channel_linear, grouped_linear
from ccnn_geo.nn.conv.unit_variance import UnitVariance, take_unscaled_weights
from ccnn_geo.nn.norm.pool import PoolNorm
from ccnn_geo.nn.pooling import POOLS, pool_clouds, pool_dense


class Head(nn.Module):
    r"""Outputs per sample or per point, scaled once by the first batch to unit variance.

    .. math::
        y = W \, \mathrm{norm}(\mathrm{pool}(h)) + b, \qquad y_i = W h_i + b

    With several members, each has its own channels and outputs. In training the rows of the first member's batch come
    before those of the second; in evaluation the output is the mean over members:

    .. math::
        y^m = W^m \, \mathrm{pool}(h^m) + b, \qquad y = \frac1M \sum_m y^m

    Args:
        in_channels: Features :math:`C` per point or cell, of all members together.
        out_channels: Outputs :math:`C_{out}`.
        readout: ``"global"`` (one output per sample) or ``"node"`` (one per point or cell).
        pool: Pooling of a global readout over all points. ``"mean"``; ``"mean_max"``: mean and maximum, concatenated
            and normalised over the batch, as in point networks; ``"sum"``: for quantities that grow with the sample,
            such as the energy of a molecule.
        members: Number of members :math:`M`.

    Shapes:
        - **points:** :math:`(N, C)` to :math:`(B, C_{out})`, or :math:`(N, C_{out})` with ``readout="node"``
        - **grid:** :math:`(B, C, *S)` to :math:`(B, C_{out})`, or :math:`(B, C_{out}, *S)`
        - in training :math:`M B` or :math:`M N` rows

    Raises:
        ValueError: If a setting is unknown, or ``pool`` is not the mean with ``readout="node"``.

    Example:
        >>> head = Head(8, 3)
        >>> head(torch.randn(5, 8), batch=torch.tensor([0, 0, 0, 1, 1])).shape
        torch.Size([2, 3])
        >>> head(torch.randn(2, 8, 4, 4)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        readout: str = "global",
        pool: str = "mean",
        members: int = 1,
    ) -> None:
        super().__init__()
        if readout not in ("global", "node"):
            raise ValueError(f"CCNN: expected readout 'global' or 'node', got {readout!r}")
        if pool not in POOLS:
            raise ValueError(f"CCNN: expected pool to be one of {sorted(POOLS)}, got {pool!r}")
        if readout == "node" and pool != "mean":
            raise ValueError(
                f"CCNN: expected pool 'mean' with readout 'node', which pools nothing, got {pool!r}"
            )
        self.readout, self.pool, self.members = readout, pool, members
        pooled = in_channels * len(POOLS[pool])
        self.norm = PoolNorm(pooled) if pool == "mean_max" else nn.Identity()
        self.linear = nn.Linear(pooled, out_channels)
        self.scale = UnitVariance()
        take_unscaled_weights(self, "linear.weight")
        # the network draws these parameters, after those of all layers

    def reset_parameters(self) -> None:
        """Draws new parameters; the next batch sets the scale."""
        if isinstance(self.norm, PoolNorm):
            self.norm.reset_parameters()
        nn.init.normal_(self.linear.weight, std=(self.linear.in_features / self.members) ** -0.5)
        nn.init.zeros_(self.linear.bias)
        self.scale.reset_parameters()

    def forward(
        self,
        h: Tensor,
        batch: Tensor | None = None,
        batch_size: int | None = None,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Reads out a grid (three or more axes) or points.

        Args:
            h: Features.
            batch: Cloud of each point; one cloud by default.
            batch_size: Number of clouds, needed if the last ones may be empty.
            weight: Quadrature weights of the points, for the mean.
        """
        if self.readout == "node":
            return self.outputs(h)
        if h.dim() > 2:
            return self.of_dense(h.flatten(2))
        if batch is None:
            batch = torch.zeros(h.size(0), dtype=torch.long, device=h.device)
            batch_size = 1 if batch_size is None else batch_size
        return self.outputs(self.norm(pool_clouds(self.pool, h, batch, batch_size, weight)))

    def of_dense(self, h: Tensor, weight: Tensor | None = None) -> Tensor:
        """Outputs for samples with equal numbers of points or cells.

        Shapes:
            - **h:** :math:`(B, C, N)`; **weight:** :math:`(B, N)`; **output:** :math:`(B, C_{out})`, or
              :math:`(B, C_{out}, N)` with ``readout="node"``
        """
        if self.readout == "node":
            return self.outputs(h)
        return self.outputs(self.norm(pool_dense(self.pool, h, weight)))

    def outputs(self, h: Tensor) -> Tensor:
        """Applies the linear layer, which the first batch scales."""
        if not self.scale.is_known:
            # outside of autocast, which would cache the unscaled weights
            with torch.no_grad(), torch.autocast(h.device.type, enabled=False):
                logits = self._of_members(h.to(self.linear.weight.dtype))
                self.scale.divide(self.linear, self.scale.measure(logits, centered=True))
        if self.training:
            return self._of_members(h)
        return channel_linear(h if self.members == 1 else h / self.members, self.linear)

    def _of_members(self, h: Tensor) -> Tensor:
        """Outputs of each member, one batch after the other."""
        if self.members == 1:
            return channel_linear(h, self.linear)
        parts = (len(POOLS[self.pool]), self.members, -1)
        weight = self.linear.weight.unflatten(1, parts).permute(2, 0, 1, 3).flatten(2).flatten(0, 1)
        own = h.unflatten(1, parts).transpose(1, 2).flatten(1, 3)
        outputs = grouped_linear(own, weight, self.linear.bias.repeat(self.members))
        return outputs.unflatten(1, (self.members, -1)).movedim(1, 0).flatten(0, 1)
