"""Base of networks on dense tensors of points: clouds of one size, farthest points, neighbours, layers per point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ccnn_geo._base.pyg import Data
from ccnn_geo.neighbors.farthest import farthest_points


def equal_clouds(data: Data, name: str, in_channels: int) -> tuple[Tensor, Tensor]:
    """Positions ``[B, N, D]`` and features ``[B, N, C]`` of a batch, N points of each cloud.

    N is the size of the largest cloud; smaller clouds repeat their points, from the first on.

    Args:
        data: ``x [M, C]``, ``pos [M, D]`` of all M points, and ``batch`` unless it is one cloud; without ``x`` C is 0.
        name: Name of the network, for the errors.
        in_channels: C.

    Raises:
        ValueError: If a cloud has no points, or the points have another number of channels.
    """
    pos = data.pos
    x = pos.new_empty(len(pos), 0) if data.x is None else data.x
    if x.size(-1) != in_channels:
        raise ValueError(f"{name}: expected data.x with {in_channels} channels, got {list(x.shape)}")
    count = pos.new_tensor([len(pos)], dtype=torch.long) if data.batch is None else data.batch.bincount()
    smallest, largest = (int(n) for n in count.aminmax()) if len(pos) else (0, 0)
    if smallest == 0:
        raise ValueError(f"{name}: expected points in each cloud, got {smallest} to {largest}")
    if smallest < largest:
        number = torch.arange(largest, device=count.device) % count.unsqueeze(1)
        index = (number + (count.cumsum(0) - count).unsqueeze(1)).flatten()
        pos, x = pos[index], x[index]
    return pos.unflatten(0, (-1, largest)), x.unflatten(0, (-1, largest))


def own_rows(data: Data, rows: Tensor) -> Tensor:
    """Rows ``[M, C]`` of the points of a batch among those of :func:`equal_clouds`, ``[B, N, C]``."""
    if data.batch is None:
        return rows.flatten(0, 1)
    number = torch.arange(rows.size(1), device=rows.device)
    return rows[number < data.batch.bincount().unsqueeze(1)]


def spread_points(pos: Tensor, count: int) -> Tensor:
    """Chooses the farthest points of each cloud (:func:`~ccnn_geo.neighbors.farthest.farthest_points`).

    The first one is the farthest from the mean, so that the choice does not depend on the order of the points.

    Shapes:
        - **pos:** :math:`(B, N, 3)`; **output:** :math:`(B, count)`, indices in each cloud

    Raises:
        ValueError: If there are fewer points.
    """
    first = (pos - pos.mean(1, keepdim=True)).square().sum(-1).argmax(1).tolist()
    return torch.stack(
        [farthest_points(cloud, count, start) for cloud, start in zip(pos, first, strict=True)]
    )


def farthest_first(pos: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Sorts points and features by farthest point sampling, so that the first M points are its centres.

    The farthest points among the first M are again the first ones, so one order serves all stages of a network.

    Shapes:
        - **pos:** :math:`(B, N, 3)`; **x:** :math:`(B, N, C)`; **output:** the same
    """
    order = spread_points(pos, pos.size(1))
    return rows_of(pos, order), rows_of(x, order)


def nearest(x: Tensor, at: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Squared distances and indices of the ``k`` nearest ``x [B, N, C]`` to each ``at [B, M, C]``, ``[B, M, k]``.

    Distances come from dense matrices, so neighbours at equal distances up to rounding may be exchanged.
    """
    x, at = x.detach(), at.detach()
    distance = at.square().sum(-1, keepdim=True) + x.square().sum(-1).unsqueeze(1)
    distance = torch.baddbmm(distance, at, x.mT, alpha=-2)
    return distance.topk(min(k, x.size(1)), largest=False)


def ball(pos: Tensor, at: Tensor, radius: float, k: int) -> Tensor:
    """Indices of the ``k`` nearest points within a radius, ``[B, M, k]``; the nearest one fills empty places.

    The reference takes the first ``k`` within the radius in the order of the points, and fills with the first.

    Source: Qi et al., 2017, PointNet++, Sec. 3.2.
    """
    distance, index = nearest(pos, at, k)
    return torch.where(distance <= radius**2, index, index[..., :1])


def rows_of(x: Tensor, index: Tensor) -> Tensor:
    """``x [B, N, C]`` at ``index [B, *S]``, ``[B, *S, C]``."""
    offset = torch.arange(len(x), device=x.device).view(-1, *[1] * (index.dim() - 1)) * x.size(1)
    return x.flatten(0, 1).index_select(0, (index + offset).flatten()).unflatten(0, index.shape)


def adjacency(x: Tensor, index: Tensor) -> Tensor:
    """``[B, M, N]`` with ones at different neighbours ``index [B, M, k]``; times ``x [B, N, C]`` it is their sum."""
    return x.new_zeros(*index.shape[:2], x.size(1)).scatter_(2, index, 1.0)


class SharedMLP(nn.Sequential):
    """Linear layer, batch normalisation and nonlinearity for each width, on the rows of ``[*, C]``.

    Args:
        widths: Widths of the input and of each layer.
        bias: Whether linear layers have a bias, as in the reference implementation of each network.
        activation: Makes a nonlinearity.
        final: Whether the last layer has a nonlinearity too.
    """

    def __init__(
        self,
        *widths: int,
        bias: bool = True,
        activation: Callable[..., nn.Module] = nn.ReLU,
        final: bool = True,
    ) -> None:
        layers: list[nn.Module] = []
        for width, out in pairwise(widths):
            layers += [nn.Linear(width, out, bias), nn.BatchNorm1d(out), activation(inplace=True)]
        super().__init__(*(layers if final else layers[:-1]))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, -2)).unflatten(0, x.shape[:-1])


def local_mlp(mlp: SharedMLP, pos: Tensor, x: Tensor, centers: Tensor, index: Tensor) -> Tensor:
    r"""A :class:`SharedMLP` on :math:`(p_j - p_c, x_j)` of the neighbours of each centre.

    The first linear layer is :math:`(W_p p_j + W_x x_j + b) - W_p p_c`, computed for each point, then gathered.

    Shapes:
        - **pos:** :math:`(B, N, 3)`; **x:** :math:`(B, N, C)`; **centers:** :math:`(B, M, 3)`
        - **index:** :math:`(B, M, k)`; **output:** :math:`(B, M, k, C')`
    """
    linear, *rest = mlp
    per_point = linear(torch.cat([pos, x], dim=-1))
    shift = centers @ linear.get_parameter("weight")[:, :3].mT
    h = (rows_of(per_point, index) - shift.unsqueeze(2)).flatten(0, 2)
    for layer in rest:
        h = layer(h)
    return h.unflatten(0, index.shape)


def classifier_head(
    widths: Sequence[int], num_classes: int, dropout: Sequence[float], **options: Any
) -> nn.Sequential:
    """A :class:`SharedMLP` with dropout after each layer, and a linear layer to the logits."""
    layers: list[nn.Module] = []
    for width, out, rate in zip(widths[:-1], widths[1:], dropout, strict=True):
        layers += [SharedMLP(width, out, **options), nn.Dropout(rate)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], num_classes))
