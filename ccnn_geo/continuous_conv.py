"""The sum over neighbours on every carrier: checks, initialisation, and the choice of the path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing

from ccnn_geo.checks import check_points
from ccnn_geo.continuous_kernel import ContinuousKernel
from ccnn_geo.first_batch import FirstBatchScale
from ccnn_geo.functional.edge_conv import edge_conv
from ccnn_geo.functional.grid_conv import grid_conv
from ccnn_geo.measure import density_measure, lattice_measure
from ccnn_geo.neighbors import Neighbors, build_neighbors
from ccnn_geo.regularization import ignore_kernel_norms, record_edges, record_grid
from ccnn_geo.representations import grid_spacing

METHODS = ("auto", "edge", "plain", "fft", "direct")
MEASURES = ("uniform", "density")


class ContinuousConv(FirstBatchScale, MessagePassing):
    r"""Base of :class:`SepFlexConv` and :class:`FlexConv`: the sum over neighbours, on every carrier.

    .. math::
        y(p_i) = \sum_{j \in \mathcal N(i)} w_j \, k(p_i - p_j) \, x(p_j)

    On points :math:`\mathcal N(i)` comes from ``edge_index``; on a grid it is the whole lattice and the sum
    is an (FFT) convolution. Both evaluate the same
    :class:`~ccnn_geo.continuous_kernel.ContinuousKernel`, so that the same samples give the same numbers.

    The kernel is scaled once, by :math:`1/\sqrt{|\Omega|}`, so that the output has unit variance (Sec. 4.1).
    :math:`|\Omega|` is ``num_taps`` if that is given. Otherwise it is the mean square of the first batch's
    unscaled output: the number of taps for white signals, and what is needed for correlated ones.
    """

    scale_buffer, scaled_layer = "effective_taps", "kernel.network.output"
    effective_taps: Tensor
    reference_spacing: Tensor
    dense: bool

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dim: int,
        kernel_hidden: int = 32,
        kernel_layers: int = 3,
        omega_0: float = 50.0,
        kernel: str = "magnet",
        window: str | None = "gaussian",
        window_init: float = 0.075,
        window_threshold: float = 0.1,
        window_isotropic: bool | None = None,
        num_neighbors: int | None = 256,
        method: str = "auto",
        causal: bool = False,
        measure: str = "uniform",
        kernel_radius: float = 1.0,
        kernel_domain: float | None = None,
        num_taps: float | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("aggr", "add")
        super().__init__(**kwargs)
        name = type(self).__name__
        if in_channels < 1 or out_channels < 1:
            raise ValueError(f"{name}: expected channels >= 1, got in={in_channels}, out={out_channels}")
        if dim not in (1, 2, 3):
            raise ValueError(f"{name}: expected dim 1, 2 or 3, got {dim}")
        if method not in METHODS:
            raise ValueError(f"{name}: expected method to be one of {METHODS}, got {method!r}")
        if measure not in MEASURES:
            raise ValueError(f"{name}: expected measure to be one of {MEASURES}, got {measure!r}")
        if num_taps is not None and not num_taps > 0:
            raise ValueError(f"{name}: expected num_taps > 0 or None, got {num_taps}")
        self.in_channels, self.out_channels, self.dim = in_channels, out_channels, dim
        self.num_neighbors, self.method, self.measure = num_neighbors, method, measure
        self.num_taps = num_taps
        self.kernel = ContinuousKernel(
            dim,
            in_channels * out_channels if self.dense else in_channels,
            hidden=kernel_hidden,
            num_layers=kernel_layers,
            omega_0=omega_0,
            kernel=kernel,
            window=window,
            window_init=window_init,
            window_threshold=window_threshold,
            window_isotropic=window_isotropic,
            radius=kernel_radius,
            domain=kernel_domain,
            causal=causal,
        )
        self.register_buffer("effective_taps", torch.zeros(()))
        self.register_buffer("reference_spacing", torch.zeros(dim))

    # Initialisation ---------------------------------------------------------------------------

    def reset_parameters(self) -> None:
        """Draws all parameters anew and forgets what the first batch has set."""
        self.kernel.reset_parameters()
        self.reference_spacing.zero_()
        self.forget_scale()
        if self.num_taps is not None:
            self.set_scale(self.num_taps * (self.in_channels if self.dense else 1))

    # Paths --------------------------------------------------------------------------------------

    def forward(
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        pos: Tensor | tuple[Tensor, Tensor] | None = None,
        edge_index: Tensor | Neighbors | None = None,
        batch: Tensor | tuple[Tensor, Tensor] | None = None,
        weight: Tensor | None = None,
        spacing: float | Sequence[float] | None = None,
    ) -> Tensor:
        """Convolves a grid (``x`` alone) or points (``x`` and ``pos``).

        Args:
            x: Features; for the bipartite form a pair whose second entry is unused.
            pos: Positions, or those of sources and targets.
            edge_index: Edges from source to target, or a :class:`~ccnn_geo.neighbors.Neighbors`. Without it, all
                points of the same cloud (``method="edge"``: the ``num_neighbors`` nearest).
            batch: Cloud of each point, or of each source and target, if there are no edges.
            weight: Quadrature weights of the sources.
            spacing: Distance of a grid's samples; by default its longest axis covers [-1, 1].
        """
        return self.mix(self.aggregate_neighbors(x, pos, edge_index, batch, weight, spacing))

    def mix(self, y: Tensor) -> Tensor:
        """What a layer does with the sums over neighbours, points or grid alike."""
        raise NotImplementedError

    def aggregate_neighbors(
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        pos: Tensor | tuple[Tensor, Tensor] | None = None,
        edge_index: Tensor | Neighbors | None = None,
        batch: Tensor | tuple[Tensor, Tensor] | None = None,
        weight: Tensor | None = None,
        spacing: float | Sequence[float] | None = None,
    ) -> Tensor:
        """The sum over neighbours alone, by whichever path fits the arguments of :meth:`forward`."""
        dtype = self.kernel.network.output.weight.dtype
        if dtype not in (torch.float32, torch.float64):
            raise TypeError(
                f"{type(self).__name__}: expected float32 or float64 parameters, got {dtype}; kernels of relative "
                "positions need them, use torch.autocast for the rest"
            )
        x_src = (x if isinstance(x, Tensor) else x[0]).to(dtype)
        with torch.autocast(x_src.device.type, enabled=False):  # omega . r and FFTs need full precision
            if pos is None:
                given = {"edge_index": edge_index, "batch": batch, "weight": weight}
                extra = [name for name, value in given.items() if value is not None]
                if extra:
                    raise ValueError(
                        f"{type(self).__name__}: a grid takes no {' or '.join(extra)}; give pos for points"
                    )
                return self._on_grid(x_src, spacing)
            pos = (pos, pos) if isinstance(pos, Tensor) else tuple(pos)
            return self._on_points(x_src, pos, edge_index, batch, weight)

    def _on_grid(self, x: Tensor, spacing: float | Sequence[float] | None) -> Tensor:
        if x.dim() != self.dim + 2 or x.size(1) != self.in_channels:
            raise ValueError(
                f"{type(self).__name__}: expected a grid [batch, {self.in_channels}, "
                f"{', '.join(f'S{d}' for d in range(self.dim))}], got {list(x.shape)}; "
                "for points give pos as well"
            )
        size = x.shape[2:]
        step = grid_spacing(size, spacing)
        if self.training:
            self.kernel.observe(
                self.kernel.domain.new_tensor([(s - 1) * h for s, h in zip(size, step, strict=True)])
            )
        scaled = self.is_scaled
        if (self.training or not scaled) and not self.reference_spacing.any():
            self.reference_spacing.copy_(self.reference_spacing.new_tensor(step))
        if not scaled:
            with torch.no_grad(), ignore_kernel_norms():
                self.measure_scale(self._convolve_grid(x, step), centered=False)
        return self._convolve_grid(x, step)

    def _convolve_grid(self, x: Tensor, step: tuple[float, ...]) -> Tensor:
        rel, center = self.kernel_taps(x.shape[2:], step)
        taps = self.kernel(rel.to(x))
        record_grid(taps)
        reference = self.reference_spacing.tolist()
        if all(h > 0 for h in reference):
            taps = taps * lattice_measure(step, reference, self.dim)
        taps = taps.movedim(-1, 0)
        if self.dense:
            taps = taps.unflatten(0, (self.out_channels, self.in_channels))
        method = self.method if self.method in ("fft", "direct") else "auto"
        return grid_conv(x, taps, center, method)

    @torch.no_grad()
    def kernel_taps(
        self, size: Sequence[int], spacing: float | Sequence[float] | None = None
    ) -> tuple[Tensor, tuple[int, ...]]:
        """Offsets of a grid's kernel taps inside the support, ``[*K, D]``, and the index of offset zero."""
        step = grid_spacing(size, spacing)
        reach = [
            s - 1 if r >= (s - 1) * h else math.floor(r / h * (1 + 1e-6))
            for s, r, h in zip(size, self.kernel.support().tolist(), step, strict=True)
        ]
        start = [0 if self.kernel.causal else -n for n in reach]
        axes = [
            torch.arange(a, n + 1, dtype=torch.double) * h for a, n, h in zip(start, reach, step, strict=True)
        ]
        rel = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
        return rel.to(self.kernel.network.output.weight), tuple(-a for a in start)

    def _on_points(
        self,
        x: Tensor,
        pos: tuple[Tensor, Tensor],
        edge_index: Tensor | Neighbors | None,
        batch: Tensor | tuple[Tensor, Tensor] | None,
        weight: Tensor | None,
    ) -> Tensor:
        check_points(self, x, pos, edge_index, weight)
        if weight is None and self.measure == "density":
            weight = density_measure(pos[0], batch[0] if isinstance(batch, tuple) else batch)
        weight = None if weight is None else weight.to(x.dtype)
        edge_index = self._neighbors(pos, edge_index, batch)
        if pos[0].dtype.itemsize > x.dtype.itemsize:  # far from the origin only differences survive the cast
            origin = pos[0].detach().mean(dim=0)
            pos = (pos[0] - origin, pos[1] - origin)
        pos = (pos[0].to(x.dtype), pos[1].to(x.dtype))
        if self.training:
            self._observe_edges(pos, *self._source_target(edge_index))
        if not self.is_scaled:
            with torch.no_grad(), ignore_kernel_norms():
                self.measure_scale(self._convolve_points(x, pos, edge_index, weight), centered=False)
        return self._convolve_points(x, pos, edge_index, weight)

    def _convolve_points(
        self, x: Tensor, pos: tuple[Tensor, Tensor], edge_index: Tensor | Neighbors, weight: Tensor | None
    ) -> Tensor:
        source, target = self._source_target(edge_index)
        record_edges(self.kernel, pos, source, target)
        if isinstance(edge_index, Neighbors) and not self.needs_messages:
            return edge_conv(x, *pos, edge_index, self.kernel, weight, dense=self.dense)
        weights = None if weight is None else (weight.unsqueeze(-1), None)
        size = (pos[0].size(0), pos[1].size(0))
        # The edges are turned the usual way round already: PyG mixes up pairs of inputs in the other flow.
        flow, self.flow = self.flow, "source_to_target"
        try:
            return self.propagate(
                torch.stack([source, target]), x=(x, None), pos=pos, weight=weights, size=size
            )
        finally:
            self.flow = flow

    def _source_target(self, edge_index: Tensor | Neighbors) -> tuple[Tensor, Tensor]:
        """Ends of all edges; a tensor has them in the order of ``flow``."""
        if isinstance(edge_index, Neighbors):
            return edge_index.edge_index[0], edge_index.edge_index[1]
        source, target = (0, 1) if self.flow == "source_to_target" else (1, 0)
        return edge_index[source], edge_index[target]

    def message(self, x_j: Tensor, pos_i: Tensor, pos_j: Tensor, weight_j: Tensor | None) -> Tensor:
        """The readable definition, one kernel per edge; the oracle of the fast paths."""
        kernel = self.kernel(pos_i - pos_j)
        if weight_j is not None:
            x_j = x_j * weight_j
        if self.dense:
            return torch.einsum(
                "eoc,ec->eo", kernel.unflatten(-1, (self.out_channels, self.in_channels)), x_j
            )
        return kernel * x_j

    @property
    def needs_messages(self) -> bool:
        """Whether messages must be formed: on request, for explanations, hooks and other aggregations."""
        hooks = (
            self._propagate_forward_pre_hooks,
            self._propagate_forward_hooks,
            self._message_forward_pre_hooks,
            self._message_forward_hooks,
            self._aggregate_forward_pre_hooks,
            self._aggregate_forward_hooks,
        )
        return self.method == "plain" or bool(self.explain) or self.aggr not in ("add", "sum") or any(hooks)

    # Points: checks and neighbours --------------------------------------------------------------

    def as_neighbors(self, edge_index: Tensor | Neighbors, num_src: int, num_dst: int) -> Tensor | Neighbors:
        """Sorts edges by target, once for all layers that share them.

        Stays a tensor where messages are needed: an explanation's edge mask follows the caller's order.
        """
        if isinstance(edge_index, Neighbors) or self.needs_messages:
            return edge_index
        if self.flow == "target_to_source":
            edge_index = edge_index.flip(0)
        return Neighbors.from_edge_index(edge_index, num_src, num_dst)

    def _neighbors(
        self,
        pos: tuple[Tensor, Tensor],
        edge_index: Tensor | Neighbors | None,
        batch: Tensor | tuple[Tensor, Tensor] | None,
    ) -> Tensor | Neighbors:
        if edge_index is not None:
            return self.as_neighbors(edge_index, pos[0].size(0), pos[1].size(0))
        batch_src, batch_dst = batch if isinstance(batch, tuple) else (batch, batch)
        return build_neighbors(
            pos[0],
            batch_src,
            num_neighbors=self.num_neighbors if self.method == "edge" else None,
            pos_dst=None if pos[1] is pos[0] else pos[1],
            batch_dst=None if pos[1] is pos[0] else batch_dst,
        )

    @torch.no_grad()
    def _observe_edges(self, pos: tuple[Tensor, Tensor], source: Tensor, target: Tensor) -> None:
        for s, t in zip(source.split(1 << 22), target.split(1 << 22), strict=True):
            if s.numel() > 0:
                self.kernel.observe((pos[1][t] - pos[0][s]).abs().amax(dim=0))

    def __repr__(self) -> str:
        causal = ", causal=True" if self.kernel.causal else ""
        return (
            f"{type(self).__name__}({self.in_channels}, {self.out_channels}, dim={self.dim}, "
            f"kernel={type(self.kernel.network).__name__}, num_neighbors={self.num_neighbors}{causal})"
        )
