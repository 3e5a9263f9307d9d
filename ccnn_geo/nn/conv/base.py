"""The sum over neighbours on every carrier: checks, initialisation, and the choice of the path."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors import Neighbors
from ccnn_geo.nn.conv.cache import KernelCache
from ccnn_geo.nn.conv.checks import check_tensors
from ccnn_geo.nn.conv.grid import GridPath
from ccnn_geo.nn.conv.plan import PointPlan
from ccnn_geo.nn.conv.points import PointSums
from ccnn_geo.nn.conv.quadrature import QuadratureMeasure

METHODS = ("auto", "edge", "lattice", "mesh", "plain", "fft", "direct")
MEASURES = ("uniform", "density", "quadrature")


class ContinuousConv(GridPath, PointSums):
    r"""Base of :class:`SepFlexConv` and :class:`FlexConv`: the sum over neighbours, on every carrier.

    .. math::
        y(p_i) = \sum_{j \in \mathcal N(i)} w_j \, k(p_i - p_j) \, x(p_j)

    On points :math:`\mathcal N(i)` comes from ``edge_index``; on a grid it is the whole lattice and the sum
    is an (FFT) convolution. Both evaluate the same
    :class:`~ccnn_geo.kernels.continuous.ContinuousKernel`, so that the same samples give the same numbers.

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
        if num_neighbors is not None and not (
            isinstance(num_neighbors, int | Integral) and num_neighbors >= 1
        ):
            raise ValueError(
                f"{name}: expected num_neighbors to be 1 or more, or None, got {num_neighbors!r}"
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
        self.make_mixer()
        self.reset_parameters()

    # Initialisation ---------------------------------------------------------------------------

    def make_mixer(self) -> None:
        """Adds the parameters of :meth:`mix`."""
        raise NotImplementedError

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
                :class:`~ccnn_geo.nn.conv.plan.PointPlan`. Without it, all points of the same cloud
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
        check_one_device(type(self).__name__, x=x, pos=pos, parameters=self.kernel.network.output.weight)
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
            return self.sum_on_points(x_src, self.plan(pos, edge_index, batch, spacing), weight)

    def __repr__(self) -> str:
        causal = ", causal=True" if self.kernel.causal else ""
        return (
            f"{type(self).__name__}({self.in_channels}, {self.out_channels}, dim={self.dim}, "
            f"kernel={type(self.kernel.network).__name__}, num_neighbors={self.num_neighbors}{causal})"
        )
