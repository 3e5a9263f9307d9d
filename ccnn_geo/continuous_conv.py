"""The sum over neighbours on every carrier: checks, initialisation, and the choice of the path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing

from ccnn_geo.checks import check_points, check_tensors
from ccnn_geo.continuous_kernel import ContinuousKernel
from ccnn_geo.grid_path import GridPath
from ccnn_geo.kernel_cache import KernelCache
from ccnn_geo.neighbors import Neighbors
from ccnn_geo.point_paths import Explanation, choose, explain, sampled_mesh_error
from ccnn_geo.point_plan import PointPlan
from ccnn_geo.quadrature import QuadratureMeasure, point_measure
from ccnn_geo.regularization import ignore_kernel_norms

METHODS = ("auto", "edge", "lattice", "mesh", "plain", "fft", "direct")
MEASURES = ("uniform", "density", "quadrature")


class ContinuousConv(GridPath, MessagePassing):
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
        low_pass: float = 0.0,
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
        if measure == "quadrature" and num_neighbors is not None:
            raise ValueError(
                f"{name}: expected num_neighbors=None with measure='quadrature', for a list of the nearest covers less "
                f"where points are denser, got {num_neighbors}"
            )
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
            low_pass=low_pass,
        )
        self.quadrature = QuadratureMeasure() if measure == "quadrature" else None
        self.kernel_cache = KernelCache()
        self.register_buffer("effective_taps", torch.zeros(()))
        self.register_buffer("reference_spacing", torch.zeros(dim))

    # Initialisation ---------------------------------------------------------------------------

    def reset_parameters(self) -> None:
        """Draws all parameters anew and forgets what the first batch has set."""
        self.kernel.reset_parameters()
        self.reference_spacing.zero_()
        if self.quadrature is not None:
            self.quadrature.reset_parameters()
        self.forget_support()
        self.forget_scale()
        if self.num_taps is not None:
            self.set_scale(self.num_taps * (self.in_channels if self.dense else 1))

    # Paths --------------------------------------------------------------------------------------

    def forward(
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        pos: Tensor | tuple[Tensor, Tensor] | None = None,
        edge_index: Tensor | Neighbors | PointPlan | None = None,
        batch: Tensor | tuple[Tensor, Tensor] | None = None,
        weight: Tensor | None = None,
        spacing: float | Sequence[float] | None = None,
    ) -> Tensor:
        """Convolves a grid (``x`` alone) or points (``x`` and ``pos``).

        Args:
            x: Features; for the bipartite form a pair whose second entry is unused.
            pos: Positions, or those of sources and targets.
            edge_index: Edges from source to target, a :class:`~ccnn_geo.neighbors.Neighbors`, or a
                :class:`~ccnn_geo.point_plan.PointPlan`. Without it, all points of the same cloud
                (``method="edge"``: the ``num_neighbors`` nearest).
            batch: Cloud of each point, or of each source and target, if there are no edges.
            weight: Quadrature weights of the sources.
            spacing: Distance of a grid's samples; by default its longest axis covers [-1, 1]. For points the
                step of the lattice they lie on, or of the mesh (``method="mesh"``).
        """
        return self.mix(self.aggregate_neighbors(x, pos, edge_index, batch, weight, spacing))

    def mix(self, y: Tensor) -> Tensor:
        """What a layer does with the sums over neighbours, points or grid alike."""
        raise NotImplementedError

    def aggregate_neighbors(
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        pos: Tensor | tuple[Tensor, Tensor] | None = None,
        edge_index: Tensor | Neighbors | PointPlan | None = None,
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
        check_tensors(type(self).__name__, x, pos)
        x_src = (x if isinstance(x, Tensor) else x[0]).to(dtype)
        with torch.autocast(x_src.device.type, enabled=False):  # omega . r and FFTs need full precision
            if pos is None:
                given = {"edge_index": edge_index, "batch": batch, "weight": weight}
                extra = [name for name, value in given.items() if value is not None]
                if extra:
                    raise ValueError(
                        f"{type(self).__name__}: a grid takes no {' or '.join(extra)}; give pos for points"
                    )
                return self.sum_on_grid(x_src, spacing)
            return self._on_points(x_src, self.plan(pos, edge_index, batch, spacing), weight)

    def _on_points(self, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
        check_points(self, x, plan, weight)
        weight = self.point_weights(plan) if weight is None else weight
        weight = None if weight is None else weight.to(x.dtype)
        if self.training:
            self.kernel.observe(plan.extent)
        path = choose(self, plan)
        if not self.is_scaled:
            with torch.no_grad(), ignore_kernel_norms():
                self.measure_scale(path.sum(x, weight), centered=False)
        return path.sum(x, weight)

    def point_weights(self, plan: PointPlan) -> Tensor | None:
        """Weights of a plan's sources by the layer's measure, ``[N]``; ``None`` for 1 each."""
        if self.measure == "quadrature":
            return self.quadrature(plan, self.kernel.support())
        return point_measure(self.measure, plan)

    def sum_messages(self, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
        """The sum over neighbours by PyG's ``propagate``."""
        weights = None if weight is None else (weight.unsqueeze(-1), None)
        size = (plan.pos[0].size(0), plan.pos[1].size(0))
        # The edges are turned the usual way round already: PyG mixes up pairs of inputs in the other flow.
        flow, self.flow = self.flow, "source_to_target"
        try:
            return self.propagate(
                torch.stack(plan.ends()), x=(x, None), pos=plan.pos, weight=weights, size=size
            )
        finally:
            self.flow = flow

    def message(self, x_j: Tensor, pos_i: Tensor, pos_j: Tensor, weight_j: Tensor | None) -> Tensor:
        """The readable definition, one kernel per edge; the oracle of the fast paths."""
        kernel = self.kernel.definition(pos_i - pos_j)
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

    # Plans ----------------------------------------------------------------------------------------

    def plan(
        self,
        pos: Tensor | tuple[Tensor, Tensor],
        edge_index: Tensor | Neighbors | PointPlan | None = None,
        batch: Tensor | tuple[Tensor, Tensor] | None = None,
        spacing: float | Sequence[float] | None = None,
    ) -> PointPlan:
        """What this layer needs to know of the points; see :meth:`forward`."""
        if isinstance(edge_index, PointPlan):
            return edge_index
        return PointPlan(
            pos,
            batch,
            edge_index,
            num_neighbors=self.num_neighbors if self.method == "edge" else None,
            spacing=spacing,
            flow=self.flow,
            dtype=self.kernel.network.output.weight.dtype,
        )

    def explain_plan(
        self,
        pos: Tensor | tuple[Tensor, Tensor],
        edge_index: Tensor | Neighbors | PointPlan | None = None,
        batch: Tensor | tuple[Tensor, Tensor] | None = None,
        spacing: float | Sequence[float] | None = None,
    ) -> Explanation:
        """Which path :meth:`forward` takes on these points, what the others would cost, or why they are impossible.

        Example:
            >>> from ccnn_geo import SepFlexConv
            >>> conv = SepFlexConv(16, 16, dim=3)
            >>> conv.explain_plan(torch.rand(100, 3)).method
            'edge'
        """
        return explain(self, self.plan(pos, edge_index, batch, spacing))

    @torch.no_grad()
    def mesh_error(
        self,
        x: Tensor,
        pos: Tensor | tuple[Tensor, Tensor],
        batch: Tensor | tuple[Tensor, Tensor] | None = None,
        weight: Tensor | None = None,
        spacing: float | Sequence[float] | None = None,
        samples: int = 256,
    ) -> float:
        """Relative l2 error of ``method="mesh"`` against the float64 sum over all points, at random targets.

        Takes O(samples N) time; see :func:`~ccnn_geo.functional.mesh_conv.mesh_error`.
        """
        plan = PointPlan(pos, batch, spacing=spacing, dtype=self.kernel.network.output.weight.dtype)
        check_points(self, x, plan, weight)
        return sampled_mesh_error(self, x.to(plan.dtype), plan, weight, samples)

    def __repr__(self) -> str:
        causal = ", causal=True" if self.kernel.causal else ""
        return (
            f"{type(self).__name__}({self.in_channels}, {self.out_channels}, dim={self.dim}, "
            f"kernel={type(self.kernel.network).__name__}, num_neighbors={self.num_neighbors}{causal})"
        )
