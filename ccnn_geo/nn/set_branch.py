"""A branch that sees every point separately and keeps the maxima of the features."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ccnn_geo._base.pyg import scatter
from ccnn_geo.functional.clouds import as_clouds
from ccnn_geo.functional.pointwise.linear import channel_linear
from ccnn_geo.kernels.math.gelu import gelu
from ccnn_geo.nn.norm.batch import BatchNorm
from ccnn_geo.nn.norm.pool import PoolNorm

DROPOUT = 0.3


class SetBranch(nn.Module):
    r"""Pointwise layers, a maximum over all points, and a layer on top, as in PointNet.

    .. math::
        h_i = \phi(x_i), \quad \phi = (\mathrm{gelu} \circ \mathrm{norm} \circ W_3) \circ \dots, \qquad
        y = V \, \mathrm{dropout}(\mathrm{gelu}(\mathrm{norm}(U \max_i h_i))) + b

    Convolutions and a mean over points describe how common each local pattern is. This branch describes the extent of a
    shape and whether a feature occurs at all. The two misclassify different shapes, so the mean of their predictions
    is better than either.

    Args:
        in_channels: Input features, including positions.
        out_channels: Outputs.
        channels: Width :math:`c`: layers with :math:`c, 2c, 4c` features per point, and one with :math:`2c` per sample.

    Shapes:
        - **points:** :math:`(N, C_{in})` with **batch** :math:`(N)` to :math:`(B, C_{out})`
        - **grid:** :math:`(B, C_{in}, *S)` to :math:`(B, C_{out})`

    Raises:
        ValueError: If the width is below 1.

    Source: Qi et al., 2017, "PointNet", without its transforms and with a tenth of its width.

    Example:
        >>> branch = SetBranch(4, 10, channels=8)
        >>> branch(torch.randn(60, 4), torch.arange(60) // 20).shape
        torch.Size([3, 10])
    """

    def __init__(self, in_channels: int, out_channels: int, channels: int = 64) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"SetBranch: expected channels >= 1, got {channels}")
        widths = [in_channels, channels, 2 * channels, 4 * channels]
        self.points = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(BatchNorm(width) for width in widths[1:])
        self.hidden = nn.Linear(4 * channels, 2 * channels)
        self.hidden_norm = PoolNorm(2 * channels)
        self.dropout = nn.Dropout(DROPOUT)
        self.linear = nn.Linear(2 * channels, out_channels)

    def reset_parameters(self) -> None:
        """Draws new parameters."""
        for part in self.modules():
            if isinstance(part, nn.Linear | nn.BatchNorm1d):
                part.reset_parameters()

    def forward(self, x: Tensor, batch: Tensor | None = None, batch_size: int | None = None) -> Tensor:
        """Outputs of clouds or grids.

        Args:
            x: Features.
            batch: Cloud of each point; one cloud by default.
            batch_size: Number of clouds, needed if the last ones may be empty.
        """
        h = x.flatten(2) if x.dim() > 2 else x
        for layer, norm in zip(self.points, self.norms, strict=True):
            assert isinstance(layer, nn.Linear)
            h = gelu(norm(channel_linear(h, layer)))
        if h.dim() == 3:
            largest = h.amax(dim=2)
        elif batch is None:
            largest = h.amax(dim=0, keepdim=True)
        else:
            largest = scatter(h, as_clouds(batch, "batch"), dim=0, dim_size=batch_size, reduce="max")
        found = gelu(self.hidden_norm(self.hidden(largest)))
        return self.linear(self.dropout(found))
