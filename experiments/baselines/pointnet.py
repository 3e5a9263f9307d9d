"""PointNet: one network for each point, and a maximum over the points."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ccnn_geo._base.pyg import Data
from ccnn_geo.experiments.baselines.clouds import SharedMLP, classifier_head, equal_clouds


class TransformNet(nn.Module):
    r"""T-Net: computes a matrix :math:`K \times K` for a cloud, the identity before training.

    .. math::
        T = I + \mathrm{MLP}(\max_i \, \mathrm{mlp}(x_i))

    Args:
        in_channels: Channels of a point.
        size: :math:`K`.

    Shapes:
        - **input:** :math:`(B, N, C)`; **output:** :math:`(B, K, K)`
    """

    def __init__(self, in_channels: int, size: int) -> None:
        super().__init__()
        self.points = SharedMLP(in_channels, 64, 128, 1024)
        self.cloud = SharedMLP(1024, 512, 256)
        self.matrix = nn.Linear(256, size * size)
        nn.init.zeros_(self.matrix.weight)
        with torch.no_grad():
            self.matrix.bias.copy_(torch.eye(size).flatten())
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        found = self.matrix(self.cloud(self.points(x).amax(1)))
        return found.unflatten(-1, (self.size, self.size))


class PointNet(nn.Module):
    r"""PointNet for classification.

    .. math::
        y = \mathrm{MLP}\big(\max_i \, \mathrm{mlp}_2(F \, \mathrm{mlp}_1(T p_i, x_i))\big)

    with :math:`T` and :math:`F` from T-Nets, :class:`TransformNet`.

    Args:
        in_channels: Features :math:`x` of a point beside its position: 0, or 3 with normals.
        num_classes: Number of classes.
        input_transform: Whether there is a :math:`T`.
        feature_transform: Whether there is an :math:`F`, :math:`64 \times 64`.
        dropout: Dropout in the last hidden layer.

    Shapes:
        - **data:** ``x`` :math:`(B N, C)`, ``pos`` :math:`(B N, 3)`, ``batch``; **output:** :math:`(B, K)`

    Raises:
        ValueError: If a cloud has no points, or the points have another number of channels.

    Source: Qi et al., 2017, `"PointNet: Deep Learning on Point Sets for 3D Classification and Segmentation"
    <https://arxiv.org/abs/1612.00593>`_, Fig. 2. For positions and 40 classes 819,624 parameters without T-Nets,
    1,622,705 with the first and 3,480,049 with both, the published 0.8 and 3.5 million. Features are not rotated with
    the points. The source's penalty for a non-orthogonal :math:`F` is left out.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        input_transform: bool = True,
        feature_transform: bool = False,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.input_transform = TransformNet(3 + in_channels, 3) if input_transform else None
        self.first = SharedMLP(3 + in_channels, 64, 64)
        self.feature_transform = TransformNet(64, 64) if feature_transform else None
        self.second = SharedMLP(64, 64, 128, 1024)
        self.head = classifier_head((1024, 512, 256), num_classes, (0.0, dropout))

    def forward(self, data: Data) -> Tensor:
        pos, x = equal_clouds(data, "PointNet", self.in_channels)
        points = torch.cat([pos, x], dim=-1)
        if self.input_transform is not None:
            points = torch.cat([pos @ self.input_transform(points), x], dim=-1)
        h = self.first(points)
        if self.feature_transform is not None:
            h = h @ self.feature_transform(h)
        return self.head(self.second(h).amax(1))
