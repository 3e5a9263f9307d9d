"""The sum over a grid: the kernel's taps and their measure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ccnn_geo._base.native.sizes import ladder
from ccnn_geo._base.recording import refuse_recording
from ccnn_geo._base.tracing import is_traced
from ccnn_geo.functional.edge.kernel_values import kernel_values
from ccnn_geo.functional.grid.conv import GridKernel, apply_kernel, prepare_kernel
from ccnn_geo.functional.representations import grid_spacing
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors.measure import lattice_measure
from ccnn_geo.nn.conv.async_mirror import AsyncMirror
from ccnn_geo.nn.conv.fixed_taps import taps_are_fixed
from ccnn_geo.nn.conv.kernel_norms import collected, record_grid

LAG_MARGIN = 0.1
"""Share by which a window may have grown since the host last read it."""


class GridSum(nn.Module):
    r"""The sum of a kernel over all cells of a grid, by FFT or directly.

    .. math::
        y(p_i) = \frac{|h|}{|h^{ref}|} \sum_j k(p_i - p_j) \, x(p_j)

    with :math:`|h|` the volume of a cell, and :math:`h^{ref}` the spacing of the first grid (``reference_spacing``).

    Args:
        dim: Number of axes.
        method: ``"fft"`` or ``"direct"``; anything else takes the faster of both.

    Shapes:
        - **input:** ``x`` :math:`(B, C_{in}, *S)`; **output:** :math:`(B, C_{out}, *S)`
    """

    reference_spacing: Tensor

    def __init__(self, dim: int, method: str = "auto") -> None:
        super().__init__()
        self.dim, self.method = dim, method if method in ("fft", "direct") else "auto"
        self.register_buffer("reference_spacing", torch.zeros(dim))
        self._support, self._reference = AsyncMirror(), AsyncMirror()
        self._compiled_support: list[float] | None = None
        self.register_load_state_dict_post_hook(_look_again)

    def reset_parameters(self) -> None:
        """Forgets the first grid."""
        self.reference_spacing.zero_()
        self.forget_support()

    def forget_support(self) -> None:
        """Makes the host read the window's support again."""
        self._support.forget()
        self._compiled_support = None

    def learned(self, kernel: ContinuousKernel) -> None:
        """Remembers the learned support for compiled evaluation."""
        if self._support.known is not None:
            self._compiled_support = [_room_for(r) for r in self._support.fetch(kernel.support())]

    def refer_to(self, step: Sequence[float]) -> None:
        """Remembers the spacing of the first grid."""
        if not any(self._reference.read(self.reference_spacing)):
            self.reference_spacing.copy_(self.reference_spacing.new_tensor(step))

    def forward(self, x: Tensor, step: tuple[float, ...], kernel: ContinuousKernel) -> Tensor:
        """Sums over grids ``[B, C, *S]`` with cells ``step`` apart."""
        size = tuple(x.shape[2:])
        reference = self._reference.read(self.reference_spacing)
        measure = lattice_measure(step, reference, self.dim) if all(h > 0 for h in reference) else 1.0
        fixed = taps_are_fixed()
        if not fixed and not is_traced():
            refuse_recording(
                x, "the number of taps follows the window; record inside `with ccnn_geo.nn.fixed_taps():`"
            )
        if fixed or collected() is not None:  # what a graph keeps goes stale; a norm is that of the taps
            return apply_kernel(x, self._render(kernel, size, step, measure))
        key = ("grid", size, step, self.method, measure)
        return apply_kernel(x, kernel.remember(key, lambda: self._render(kernel, size, step, measure)))

    def _render(
        self, kernel: ContinuousKernel, size: tuple[int, ...], step: tuple[float, ...], measure: float
    ) -> GridKernel:
        rel, center = self.taps(kernel, size, step)
        taps = kernel_values(kernel, rel)
        record_grid(taps)
        # the buffer holds the spacing trained on, rounded
        taps = taps if math.isclose(measure, 1.0, rel_tol=1e-6) else taps * measure
        taps = taps.movedim(-1, 0)
        if kernel.is_dense:
            taps = taps.unflatten(0, kernel.shape)
        return prepare_kernel(taps, size, center, self.method, constant=kernel.is_fixed)

    @torch.no_grad()
    def taps(
        self,
        kernel: ContinuousKernel,
        size: Sequence[int],
        spacing: float | Sequence[float] | None = None,
    ) -> tuple[Tensor, tuple[int, ...]]:
        """Offsets of a kernel's taps ``[*K, D]``, all in the support and a few more, and the index of offset zero.

        While a window learns, the number of taps is one of a few, so that transforms stay the same. In training on a
        GPU the window's width may be that of a moment ago, hence the margin; in evaluation, where kernels are
        remembered, and beside CUDA graphs it is asked for. Compiled code that learns takes all taps, and so does
        :func:`~ccnn_geo.nn.conv.fixed_taps.fixed_taps`.
        """
        step, support = grid_spacing(size, spacing), kernel.support()
        if is_traced():
            known = None if self.training else self._compiled_support
        elif taps_are_fixed():
            known = [kernel.most_reach] * self.dim
            self._support.lose_sight()
        else:
            known = self._support.glance(support) if self.training else self._support.fetch(support)
            self._compiled_support = [_room_for(r) for r in known]
        margin = 1 + (1e-6 if support.device.type == "cpu" else LAG_MARGIN)
        reach = [
            min(s - 1, ladder(math.floor(min(r / h * margin, s))))
            for s, r, h in zip(size, known or [math.inf] * self.dim, step, strict=True)
        ]
        start = [0 if kernel.causal else -n for n in reach]
        weight = kernel.network.output.weight
        where = "cpu" if weight.device.type == "mps" else weight.device  # Metal has no float64
        axes = [
            torch.arange(a, n + 1, dtype=torch.double, device=where) * h
            for a, n, h in zip(start, reach, step, strict=True)
        ]
        rel = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
        return rel.to(weight), tuple(-a for a in start)


def _look_again(grid: GridSum, *_: object) -> None:
    grid.forget_support()


def _room_for(reach: float) -> float:
    """Rounds up to one of eight numbers per octave, so that compiled graphs are seldom rebuilt."""
    return 2.0 ** (math.ceil(8 * math.log2(reach)) / 8) if 0 < reach < math.inf else reach
