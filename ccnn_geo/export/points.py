"""A network on points in plain tensor operations, to export it for any number of points."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ccnn_geo.export.edges import DenseEdges, EdgeSum, dense_neighbors
from ccnn_geo.neighbors.exact import squared_distances
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.conv.measures import QuadratureMeasure
from ccnn_geo.nn.conv.unit_variance import UnitVariance

SEARCHES = ("inside", "given", "all")
"""The source of the neighbours: the program, its caller, or none because all points are summed over."""


class PointProgram(nn.Module):
    r"""A :class:`~ccnn_geo.nn.ccnn.CCNN` on points that ``torch.export`` can trace, with the same results.

    Neighbours are found from all distances (in float64, ties by index, as everywhere). Each layer evaluates its kernel
    by the formula, only on edges in its support. The clouds of a batch have equal numbers of points; call the program
    once per cloud for a ragged batch. A cloud with fewer points than ``num_neighbors`` is summed over as a whole.

    It needs memory for a layer's edges, at most about :math:`4 B N n (4 H + C)` bytes for kernels of width :math:`H`
    and :math:`n` edges at the point with the most in the support; for their sums, :math:`4 B N H C`; and for all
    distances, :math:`24 B N (N + k)`, unless neighbours are given. Use this package itself for larger clouds.
    ``ccnn_4_140_paper`` on 1,024 points with 256 neighbours, of which the published window keeps 11, took 0.4 s on one
    core and 0.09 GB, where all edges took 12 s and 0.21 GB. ``ccnn_4_140``, with a window that begins with 101, took
    2.4 s and 0.22 GB. This package takes 0.04 and 0.12 s (``experiments/benchmarks/bench_programs.py``).

    Args:
        model: The network, after its first batch; it is copied.
        neighbors: ``"inside"``: the program finds them; ``"given"``: they are an input.
        weights: Whether quadrature weights of the points are an input.

    Shapes:
        - **x:** :math:`(B, N, C_{in})`; **pos:** :math:`(B, N, D)`
        - **index:** with given neighbours :math:`(B, N, k)`, points of the same cloud, -1 for none; torch and
          onnxruntime refuse :math:`N` and more
        - **weight:** with ``weights`` :math:`(B, N)`
        - **output:** :math:`(B, C_{out})`, or :math:`(B, N, C_{out})` with ``readout="node"``

    Raises:
        ValueError: If the network has not seen a batch, or its kind of sum has no such form.

    Example:
        >>> model = CCNN.from_preset("ccnn_4_16", dim=3, in_channels=6, out_channels=10, num_neighbors=16)
        >>> out = model(torch.randn(80, 6), torch.rand(80, 3), torch.arange(80) // 40)
        >>> program, x, pos = PointProgram(model.eval()), torch.randn(50, 6), torch.rand(50, 3)
        >>> torch.allclose(program(x[None], pos[None]), model(x, pos), atol=1e-3)
        True
        >>> program.inputs
        {'x': ['B', 'N', 6], 'pos': ['B', 'N', 3]}
    """

    def __init__(self, model: CCNN, neighbors: str = "inside", weights: bool = False) -> None:
        super().__init__()
        if neighbors not in SEARCHES[:2]:
            raise ValueError(f"PointProgram: expected neighbors 'inside' or 'given', got {neighbors!r}")
        stem = model.stem
        if stem.measure.name == "density" and not weights:
            raise ValueError(
                "PointProgram: expected weights=True with measure='density'; compute the weights with "
                "ccnn_geo.neighbors.measure.density_measure outside of the program"
            )
        if stem.aggr not in ("add", "sum"):
            raise ValueError(f"PointProgram: expected aggr 'add', got {stem.aggr!r}")
        sees_all = model.num_neighbors is None or stem.method == "mesh"
        if sees_all and neighbors == "given":
            raise ValueError(
                "PointProgram: expected neighbors='inside' for a network that sums over all points"
            )
        self.search = "all" if sees_all else neighbors
        self.for_onnx = False
        self.weights, self.num_neighbors, self.dim = weights, model.num_neighbors, model.dim
        self.model = ready_copy(model)
        for conv in self.model.convs:
            replace(self.model, conv, EdgeSum(conv))

    def forward(self, x: Tensor, pos: Tensor, *given: Tensor) -> Tensor:
        # concatenated, so that torch and onnxruntime refuse other numbers of clouds or points
        x, pos = torch.cat([x, pos], dim=2).split([x.size(2), pos.size(2)], dim=2)
        outputs = self._outputs(x, pos, *given)
        # 0 for a valid cloud; distances would hide positions that are not finite, or missing
        unsound = (0 * pos).sum(dim=(1, 2)) / pos.size(1)
        return outputs + unsound.view(-1, *(1 for _ in outputs.shape[1:]))

    def _outputs(self, x: Tensor, pos: Tensor, *given: Tensor) -> Tensor:
        clouds, points, _ = pos.shape
        rest = list(given)
        index = rest.pop(0) if self.search == "given" else None
        weight = rest.pop(0) if self.weights else self._weight(pos)
        edges = self._edges(pos, index)
        h = self.model.features(
            x.flatten(0, 1), edge_index=edges, weight=None if weight is None else weight.flatten()
        )
        if self.model.readout == "node":
            return self.model.head(h).unflatten(0, (clouds, points))
        outputs = self.model.head.of_dense(h.unflatten(0, (clouds, points)).transpose(1, 2), weight)
        return self.model.answers(outputs, x.transpose(1, 2))

    def _edges(self, pos: Tensor, index: Tensor | None) -> DenseEdges:
        clouds, points, _ = pos.shape
        flat = pos.flatten(0, 1)
        if self.search == "all":
            # in two dimensions from the start: a tracer cannot flatten [B, N, N] for every N
            first = torch.arange(clouds, device=pos.device).unsqueeze(1) * points
            first = (first + torch.zeros(points, dtype=torch.long, device=pos.device)).flatten()
            source = first.unsqueeze(1) + torch.arange(points, device=pos.device)
            return DenseEdges(
                source, flat.unsqueeze(1) - flat[source], torch.ones_like(source, dtype=torch.bool)
            )
        if index is None:
            assert self.num_neighbors is not None, "what sums over all points is above"
            index, valid = dense_neighbors(pos, self.num_neighbors, self.for_onnx)
        else:
            valid = index >= 0
            index = index.clamp(min=0)
        # taken from a cloud's own row, so that torch and onnxruntime refuse an index beyond its points
        own = torch.arange(clouds * points, device=pos.device).view(clouds, points)
        source = own.gather(1, index.flatten(1)).unflatten(1, (points, -1)).flatten(0, 1)
        return DenseEdges(source, flat.unsqueeze(1) - flat[source], valid.flatten(0, 1))

    def _weight(self, pos: Tensor) -> Tensor | None:
        """Weights of the quadrature measure; its sums over the bandwidth are sums over all points here."""
        stem: nn.Module = self.model.stem
        assert isinstance(stem, EdgeSum)
        measure = stem.conv.measure
        if not isinstance(measure, QuadratureMeasure):
            return None
        d2 = squared_distances(pos.double().unsqueeze(2), pos.double().unsqueeze(1))
        density = (1 - d2 / measure.bandwidth.double().square()).clamp(min=0).sum(dim=2).clamp(min=1)
        return (measure.density.double() / density).to(pos.dtype)

    def example(self) -> tuple[tuple[Tensor, ...], tuple[Any, ...]]:
        """Inputs for tracing, and the sizes that may change."""
        batch, points = torch.export.Dim("batch", min=1), torch.export.Dim("points", min=1)
        weight = self.model.head.linear.weight
        k = 16 if self.num_neighbors is None else self.num_neighbors
        pos = torch.rand(2, 24, self.dim).to(weight) * 2 - 1
        inputs = [torch.randn(2, 24, self.model.in_channels).to(weight), pos]
        shape, more = {0: batch, 1: points}, []
        if self.search == "given":
            inputs.append(dense_neighbors(pos, k)[0].clamp(max=23))
            more.append({**shape, 2: torch.export.Dim("neighbors", min=2)})
        if self.weights:
            inputs.append(torch.ones(2, 24).to(weight))
            more.append(shape)
        return tuple(inputs), (shape, shape, *([tuple(more)] if more else []))  # one entry for *given

    @property
    def outputs(self) -> list[Any]:
        """Shape of the output; its channels are classes or targets."""
        return ["B", *(["N"] if self.model.readout == "node" else []), self.model.out_channels]

    @property
    def inputs(self) -> dict[str, list[Any]]:
        """Names and shapes of the inputs, for users of the program alone."""
        found = {"x": ["B", "N", self.model.in_channels], "pos": ["B", "N", self.dim]}
        if self.search == "given":
            found["index"] = ["B", "N", "k"]
        return found | ({"weight": ["B", "N"]} if self.weights else {})


def ready_copy(model: CCNN) -> CCNN:
    """A copy in evaluation mode that does not check a buffer for the first batch.

    Raises:
        ValueError: If there was no first batch.
    """
    model = copy.deepcopy(model).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, UnitVariance):
            if not module.is_known:
                raise ValueError(
                    "export: the network has not seen a batch, which scales its kernels; run it once first"
                )
            module.set(module.moment)
    return model


def replace(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Replaces one module by another."""
    name = next(name for name, module in model.named_modules() if module is old)
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, new)
