"""Augmentation: clouds with parts of another cloud, and labels to match."""

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from ccnn_geo._base.pyg import BaseTransform, Batch, Data
from ccnn_geo.transforms._points import take_points


class MixClouds(BaseTransform):
    r"""Replaces a rigid part of every cloud of a batch by a part of another (Lee et al., 2021, *RSMix*).

    With :math:`\lambda` uniform on [0, 1], the paper's Beta(1, 1), the :math:`k = \lambda N / 2` points nearest to a
    random point of cloud :math:`a` are replaced by the k nearest to a random point of cloud :math:`b`, moved there
    without deformation. So normals remain correct, which interpolation between clouds (PointMixup) cannot guarantee.
    The label follows the numbers of points:

    .. math:: y = \big((N - k) \, e_{y_a} + k \, e_{y_b}\big) / N

    The partners are a random permutation of the batch. Apply it to the batch of a loader, before
    :class:`~ccnn_geo.transforms.PointFeatures` copies positions to ``x``. Losses that accept probabilities, such as
    ``torch.nn.functional.cross_entropy``, take these labels directly.

    Args:
        num_classes: Number of classes K.
        p: Share of batches to mix; the others only get labels of the same form.
        generator: Source of randomness (default: torch's global one).

    Shapes:
        a ``Batch`` of B clouds with ``pos [N, D]``, ``y [B]`` and any tensors with one row per point -> the same
        with ``y [B, K]`` in the type of ``pos``, rows summing to 1. Numbers of points do not change.

    Raises:
        TypeError: If the input is not a ``Batch``.
        ValueError: If arguments are out of range, labels are not ``[B]`` in 0..K-1, or the batch has edges.

    Example:
        >>> from torch_geometric.data import Batch, Data
        >>> batch = Batch.from_data_list([Data(pos=torch.rand(50, 3), y=torch.tensor([i])) for i in range(2)])
        >>> MixClouds(2, p=1.0)(batch).y.sum(dim=1)
        tensor([1., 1.])
    """

    def __init__(self, num_classes: int, p: float = 0.5, generator: Generator | None = None) -> None:
        if num_classes < 1 or not 0 <= p <= 1:
            raise ValueError(f"expected num_classes >= 1 and 0 <= p <= 1, got {num_classes} and {p}")
        self.num_classes, self.p = num_classes, float(p)
        self.generator = generator

    def forward(self, data: Batch) -> Batch:
        if not isinstance(data, Batch):
            raise TypeError(f"MixClouds needs a Batch of clouds, got {type(data).__name__}")
        y = data.get("y")
        if y is None or y.shape != (data.num_graphs,) or y.is_floating_point():
            raise ValueError(f"MixClouds needs a label for each of {data.num_graphs} clouds, got {data}")
        if y.min() < 0 or y.max() >= self.num_classes:
            raise ValueError(
                f"MixClouds: labels {y.min()} to {y.max()}, expected 0 to {self.num_classes - 1}"
            )
        clouds = data.to_data_list()
        for cloud in clouds:
            cloud.y = one_hot(cloud.y, self.num_classes).to(cloud.pos.dtype)
        if torch.rand((), generator=self.generator) < self.p:
            partner = torch.randperm(len(clouds), generator=self.generator).tolist()
            clouds = [self._mix(a, clouds[b]) for a, b in zip(clouds, partner, strict=True)]
        return Batch.from_data_list(clouds)

    def _mix(self, a: Data, b: Data) -> Data:
        share = torch.rand((), generator=self.generator).item()
        return mix_pair(a, b, int(share * a.num_nodes / 2), self.generator)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.num_classes}, p={self.p:g})"


def mix_pair(a: Data, b: Data, num: int, generator: Generator | None = None) -> Data:
    """Replaces ``num`` points around a random one in ``a`` by as many from ``b``, moved there.

    Args:
        a: Cloud with ``pos [N, D]`` and ``y [1, K]``, probabilities.
        b: Cloud with the same fields; if it has fewer points than ``num``, all are used.
        num: Number of points to replace, at most all points of ``a``.
        generator: Source of randomness (default: torch's global one).

    Shapes:
        tensors with one row per point keep the number of rows of ``a``; its remaining points come first.
    """
    num, mixed = min(num, a.num_nodes, b.num_nodes), a.clone()
    if num == 0:
        return mixed
    near_a, near_b = _by_distance(a.pos, generator), _by_distance(b.pos, generator)
    rest, patch = take_points(a.clone(), near_a[num:]), take_points(b.clone(), near_b[:num])
    patch.pos = patch.pos + (a.pos[near_a[0]] - b.pos[near_b[0]])
    for key in a.keys():  # noqa: SIM118 (a Data is not a dict)
        if key != "y" and isinstance(a[key], Tensor) and a.is_node_attr(key):
            mixed[key] = torch.cat([rest[key], patch[key]])
    mixed.y = (a.y * (a.num_nodes - num) + b.y * num) / a.num_nodes
    return mixed


def _by_distance(pos: Tensor, generator: Generator | None) -> Tensor:
    """Indices of all points, from a random one outwards."""
    center = torch.randint(len(pos), (1,), generator=generator, device=pos.device)
    return (pos - pos[center]).square().sum(1).argsort()
