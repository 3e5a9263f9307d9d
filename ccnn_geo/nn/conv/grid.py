"""The sum over a lattice: which taps a kernel has there, their measure, and what is remembered of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ccnn_geo.functional.edge.kernel_values import kernel_values
from ccnn_geo.functional.grid.conv import GridKernel, apply_kernel, prepare_kernel
from ccnn_geo.functional.grid.sizes import ladder
from ccnn_geo.functional.representations import grid_spacing
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors.measure import lattice_measure
from ccnn_geo.nn.conv.async_mirror import HostCopy, made_on
from ccnn_geo.nn.conv.cache import RemembersKernel
from ccnn_geo.nn.conv.kernel_norms import ignore_kernel_norms, is_collecting, record_grid
from ccnn_geo.nn.conv.unit_variance import FirstBatchScale

LAG_MARGIN = 0.1
"""Share by which a window may have grown since the host has heard of it."""


class GridPath(RemembersKernel, FirstBatchScale):
    """The part of :class:`~ccnn_geo.nn.conv.base.ContinuousConv` that acts on grids."""

    kernel: ContinuousKernel
    reference_spacing: Tensor
    in_channels: int
    out_channels: int
    dim: int
    method: str
    dense: bool

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._support, self._reference = HostCopy(), HostCopy()
        self._compiled_support: list[float] | None = None

    def forget_support(self) -> None:
        """Lets the host ask for the window's support anew."""
        self._support.forget()
        self._compiled_support = None

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self.forget_support()

    def train(self, mode: bool = True) -> GridPath:
        """Sets the mode; compiled evaluation takes the support that was learned."""
        if not mode and self._support.known is not None:
            self._compiled_support = [_room_for(r) for r in self._support.fetch(self.kernel.support())]
        super().train(mode)
        return self

    def sum_on_grid(self, x: Tensor, spacing: float | Sequence[float] | None) -> Tensor:
        """The sum over the whole lattice; its first batch sets the scale."""
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
                made_on(self.kernel.domain, [(s - 1) * h for s, h in zip(size, step, strict=True)])
            )
        scaled = self.is_scaled
        if (self.training or not scaled) and not any(self._reference.read(self.reference_spacing)):
            self.reference_spacing.copy_(self.reference_spacing.new_tensor(step))
        if not scaled:
            with torch.no_grad(), ignore_kernel_norms():
                self.measure_scale(self._convolve_grid(x, step), centered=False)
        return self._convolve_grid(x, step)

    def _convolve_grid(self, x: Tensor, step: tuple[float, ...]) -> Tensor:
        size = tuple(x.shape[2:])
        if is_collecting():  # the norm is that of the taps
            return apply_kernel(x, self._render_grid(size, step))
        key = ("grid", size, step, self.method)
        return apply_kernel(x, self.remember(key, lambda: self._render_grid(size, step)))

    def _render_grid(self, size: tuple[int, ...], step: tuple[float, ...]) -> GridKernel:
        rel, center = self.kernel_taps(size, step)
        taps = kernel_values(self.kernel, rel)
        record_grid(taps)
        reference = self._reference.read(self.reference_spacing)
        if all(h > 0 for h in reference):
            measure = lattice_measure(step, reference, self.dim)
            # the buffer rounds the spacing trained on
            taps = taps if math.isclose(measure, 1.0, rel_tol=1e-6) else taps * measure
        taps = taps.movedim(-1, 0)
        if self.dense:
            taps = taps.unflatten(0, (self.out_channels, self.in_channels))
        method = self.method if self.method in ("fft", "direct") else "auto"
        return prepare_kernel(taps, size, center, method)

    @torch.no_grad()
    def kernel_taps(
        self, size: Sequence[int], spacing: float | Sequence[float] | None = None
    ) -> tuple[Tensor, tuple[int, ...]]:
        """Offsets of a grid's kernel taps, all in the support and few others, ``[*K, D]``; the index of offset zero.

        While a window learns, the number of taps is one of a few, so that transforms stay the same. In training on a
        GPU the window's width may be that of a moment ago, hence the margin; in evaluation, where kernels are
        remembered, it is asked for. Compiled code that learns takes all taps.
        """
        step, support = grid_spacing(size, spacing), self.kernel.support()
        if torch.compiler.is_compiling():
            known = None if self.training else self._compiled_support
        else:
            known = self._support.glance(support) if self.training else self._support.fetch(support)
            self._compiled_support = [_room_for(r) for r in known]
        margin = 1 + (1e-6 if support.device.type == "cpu" else LAG_MARGIN)
        reach = [
            min(s - 1, ladder(math.floor(min(r / h * margin, s))))
            for s, r, h in zip(size, known or [math.inf] * self.dim, step, strict=True)
        ]
        start = [0 if self.kernel.causal else -n for n in reach]
        weight = self.kernel.network.output.weight
        where = "cpu" if weight.device.type == "mps" else weight.device  # Metal has no float64
        axes = [
            torch.arange(a, n + 1, dtype=torch.double, device=where) * h
            for a, n, h in zip(start, reach, step, strict=True)
        ]
        rel = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
        return rel.to(weight), tuple(-a for a in start)


def _room_for(reach: float) -> float:
    """At least as much, and one of eight numbers an octave, so that graphs made for it are seldom made anew."""
    return 2.0 ** (math.ceil(8 * math.log2(reach)) / 8) if 0 < reach < math.inf else reach
