"""Values of a network at each point or cell of a sample: class evidence, one kernel, one channel's response."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ccnn_geo.functional.edge.kernel_values import kernel_values
from ccnn_geo.functional.representations import grid_positions
from ccnn_geo.nn.build import class_logits
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.conv.base import ContinuousConv
from ccnn_geo.nn.norm.pool import PoolNorm
from ccnn_geo.visualization.rendering import check_index, convolutions


@dataclass(frozen=True, eq=False)
class Sample:
    """One cloud or grid in the form of the network's input.

    Args:
        name: Name of the file, or its number in a data set.
        inputs: Arguments of the network: only ``x`` for a grid, with ``pos`` and perhaps ``weight`` for points.
        truth: Name of its class, if known and the same for all points.

    Shapes:
        - **inputs:** ``x`` :math:`(N, C)`, ``pos`` :math:`(N, D)` and ``weight`` :math:`(N)`, or ``x``
          :math:`(1, C, *S)`

    Example:
        >>> model = CCNN.from_preset("ccnn_4_16", dim=2, in_channels=3, out_channels=10)
        >>> image = Sample("cat.png", {"x": torch.randn(1, 3, 8, 6)}, truth="cat")
        >>> image.size, image.is_points, image.pos.shape
        ((8, 6), False, torch.Size([48, 2]))
        >>> out = model(**image.inputs)
        >>> class_evidence(model.eval(), image).shape
        torch.Size([48, 10])
    """

    name: str
    inputs: Mapping[str, Tensor] = field(repr=False)
    truth: str = ""

    @property
    def size(self) -> tuple[int, ...]:
        """Cells along each axis of a grid, ``(N,)`` for points."""
        x = self.inputs["x"]
        return tuple(x.shape[:1]) if self.is_points else tuple(x.shape[2:])

    @property
    def is_points(self) -> bool:
        """Whether it has its own positions."""
        return self.inputs.get("pos") is not None

    @property
    def pos(self) -> Tensor:
        """Positions of points or cells, ``[N, D]``."""
        return self.inputs["pos"] if self.is_points else grid_positions(self.size)


@torch.no_grad()
def class_evidence(network: CCNN, sample: Sample) -> Tensor:
    r"""The contribution of each point or cell to the logit of each class.

    .. math::
        e_c(p_i) = w_c \cdot \mathrm{norm}(h(p_i)) + b_c, \qquad \frac1N \sum_i e_c(p_i) = y_c

    The head is linear and follows a mean, so this is exact. With ``readout="node"`` it is the logit of the point.
    In a weighted mean, :math:`h(p_i)` has the factor :math:`w_i / \bar w`.
    With ``pool="sum"`` the factor turns the mean into the sum.
    With ``pool="mean_max"`` a largest feature counts at its point with the factor :math:`N`, so that the mean is the
    same.

    Args:
        network: The network, in evaluation mode, after its first batch.
        sample: A cloud or grid.

    Shapes:
        - **output:** :math:`(N, K)`, cells with the last axis fastest
    """
    seen: list[Tensor] = []
    handle = network.norm.register_forward_hook(lambda module, args, out: seen.append(out))
    try:
        with _inputs_of(network.stem) as given:
            network(**sample.inputs)
    finally:
        handle.remove()
    features = seen[-1] if sample.is_points else seen[-1][0].flatten(1).T
    share = given[-1][1].get("weight") if network.readout == "global" else None
    counted = features if share is None else features * (share / share.mean()).to(features).unsqueeze(1)
    if network.head.pool == "sum":  # the factor that turns the mean into the sum
        counted = counted * (len(features) if share is None else share.sum())
    weight, bias = _head_of_pooled(network)
    weight, *largest = weight.split(features.size(1), dim=1)
    evidence = nn.functional.linear(counted, weight, bias)
    for part in largest:
        values, place = features.max(dim=0)
        evidence.index_add_(0, place, len(features) * (part * values).T)
    if network.set_branch is not None:  # its output belongs to no single point and is shared among all
        of_branch = network.set_branch(sample.inputs["x"])
        evidence = (evidence + of_branch) / 2
    return class_logits(evidence)


def _head_of_pooled(network: CCNN) -> tuple[Tensor, Tensor]:
    """Weight ``[K, C]`` and bias ``[K]`` of the head, including the norm before it in evaluation mode."""
    weight, bias = network.head.linear.weight / network.members, network.head.linear.bias
    if not isinstance(network.head.norm, PoolNorm):
        return weight, bias
    scale, shift = network.head.norm.running_affine()
    return weight * scale, bias + weight @ shift


@torch.no_grad()
def kernel_at(network: CCNN, sample: Sample, layer: int, channel: int, point: int) -> Tensor:
    r"""Values of one kernel at the points around a centre: :math:`k_c(p_i - p_j)`, NaN for points outside its edges.

    Args:
        network: A trained network.
        sample: A cloud.
        layer: Layer of the kernel, 0 for the stem.
        channel: Channel of the kernel.
        point: The target :math:`i`.

    Shapes:
        - **output:** :math:`(N)`

    Raises:
        ValueError: If a number is out of range, or the sample is a grid.
    """
    if not sample.is_points:
        raise ValueError(
            "--by kernel: expected points; the kernels of a grid are the same everywhere, see show kernels"
        )
    conv, pos = _conv(network, layer, channel), sample.pos
    check_index("point", point, len(pos))
    values = kernel_values(conv.kernel, (pos[point] - pos).to(network.head.linear.weight))[:, channel]
    plan = network.plan(pos)
    if not plan.sees_all:
        source, target = plan.ends()
        seen = torch.zeros(len(pos), dtype=torch.bool, device=pos.device)
        seen[source[target == point]] = True
        values = torch.where(seen, values, torch.nan)
    return values


@torch.no_grad()
def kernel_response(network: CCNN, sample: Sample, layer: int, channel: int) -> Tensor:
    r"""The response of one kernel at each point or cell, :math:`\sum_j w_j k_c(p_i - p_j) \, x_c(p_j)`, before mixing.

    Args:
        network: The network, in evaluation mode, after its first batch.
        sample: A cloud or grid.
        layer: Layer of the kernel, 0 for the stem.
        channel: Channel of the kernel.

    Shapes:
        - **output:** :math:`(N)`, cells with the last axis fastest

    Raises:
        ValueError: If a number is out of range.
    """
    conv = _conv(network, layer, channel)
    with _inputs_of(conv) as seen:
        network(**sample.inputs)
    args, kwargs = seen[-1]
    return _listed(conv.aggregate_neighbors(*args, **kwargs), sample)[:, channel]


def _conv(network: CCNN, layer: int, channel: int) -> ContinuousConv:
    convs = list(convolutions(network).values())
    check_index("layer", layer, len(convs))
    check_index(f"channel of layer {layer}", channel, convs[layer].in_channels)
    return convs[layer]


def _listed(values: Tensor, sample: Sample) -> Tensor:
    """Points or cells in rows, ``[N, C]``."""
    return values if sample.is_points else values[0].flatten(1).T


@contextmanager
def _inputs_of(conv: ContinuousConv) -> Iterator[list[tuple[tuple[Any, ...], dict[str, Any]]]]:
    """Collects the arguments that a layer is called with."""
    seen: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    handle = conv.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append((args, kwargs)), with_kwargs=True
    )
    try:
        yield seen
    finally:
        handle.remove()
