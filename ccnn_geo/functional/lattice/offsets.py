"""Points on a lattice: detects its spacing, and finds the distinct offsets of all edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.functional.lattice.runs import OffsetSegments

MAX_STEPS = 4096
"""Largest number of steps across the points: with enough steps, any cloud is a lattice."""
ACCURATE = 2.0**-15
"""Negligible distance from a lattice, in steps: it changes phases of kernels that the lattice carries by 1e-4."""
OFF = 1e-3
"""Largest distance from a lattice, in steps, for points on it."""
KEY_BITS = 21
"""Bits per axis of a key: three axes fit into an int64."""


@torch.no_grad()
def detect_spacing(
    pos: Tensor, tolerance: float = 8.0, max_steps: int = MAX_STEPS
) -> tuple[float, ...] | None:
    r"""Spacing of the axis-aligned lattice that all points lie on, or ``None``.

    Per axis it is the smallest gap between coordinates; the others must be multiples of it up to rounding,

    .. math::
        |p_d - \min p_d - n_d h_d| \le \text{tolerance} \cdot \varepsilon \max |p_d|, \qquad n_d \in \mathbb N

    It is then fitted to the whole extent and rounded to the digits that the extent determines, so that two clouds on
    one lattice agree. Clouds of a batch must share one lattice. An axis on which all points coincide has spacing 1.
    For most clouds that lie on no lattice, the first points are enough to tell.

    Far from the origin rounding moves points off their lattice, and sums over lattice steps would differ from sums over
    the points. So a spacing is returned only if rounding moves points by less than ``ACCURATE`` steps, or no more than
    it would near the origin. Gaps that rounding may have caused are ignored.

    Args:
        pos: Positions, any unit of length.
        tolerance: Allowed rounding error, in machine epsilons of the largest coordinate.
        max_steps: Largest number of steps across the points.

    Shapes:
        - **pos:** :math:`(N, D)`
        - **output:** :math:`D` numbers in the unit of ``pos``
    """
    if pos.size(0) == 0:
        return None
    eps = torch.finfo(pos.dtype).eps
    steps: list[float] = []
    flat = 0.0  # thickness of axes on which points coincide up to rounding
    for axis in pos.detach().unbind(1):
        if _axis_spacing(axis[:256].double().sort().values, tolerance * eps, max_steps) is None:
            return None
        ordered = axis.double().sort().values
        h = _axis_spacing(ordered, tolerance * eps, max_steps)
        extent = (ordered[-1] - ordered[0]).item()
        if h is None or (
            h > 0 and _distance(ordered, h) > min(OFF / 2 * h, max(3 * eps * extent, ACCURATE * h))
        ):
            return None
        flat = flat if h > 0 else max(flat, extent)
        steps.append(h)
    if flat > min([OFF / 2, *(ACCURATE * h for h in steps if h > 0)]) or (flat > 0 and not any(steps)):
        return None
    return tuple(h if h > 0 else 1.0 for h in steps)


def _axis_spacing(ordered: Tensor, relative: float, max_steps: int) -> float | None:
    """The spacing along an axis; 0 if no gap exceeds possible rounding errors."""
    slack = relative * ordered.abs().amax().item()
    if not math.isfinite(slack):
        return None
    gaps = ordered.diff()
    gaps = gaps[gaps > slack]
    if gaps.numel() == 0:
        return 0.0
    extent = (ordered[-1] - ordered[0]).item()
    smallest = gaps.amin().item()
    if extent > (max_steps + 0.5) * smallest:
        return None
    steps = (gaps / smallest).round().sum().item()
    h = extent / steps
    for digits in range(1, 17):
        rounded = float(f"{h:.{digits}g}")
        if abs(rounded - h) * steps <= slack / 4:
            h = rounded
            break
    return h if _distance(ordered, h) <= slack else None


def _distance(ordered: Tensor, h: float) -> float:
    """Largest distance of a point from the lattice through the first point."""
    exact = (ordered - ordered[0]) / h
    return (exact - exact.round()).abs().amax().item() * h


@dataclass(frozen=True, eq=False, repr=False)
class LatticeOffsets:
    """The distinct relative positions of all edges, and the edges in runs of equal offset.

    Args:
        codes: Distinct offsets in lattice steps, target minus source, in lexicographic order.
        rel: The same offsets as relative positions, in the precision of positions.
        runs: The edges.
        num_src: Number of source points.
        num_dst: Number of target points.

    Shapes:
        - **codes:** :math:`(U, D)` int64; **rel:** :math:`(U, D)`
    """

    codes: Tensor
    rel: Tensor
    runs: OffsetSegments
    num_src: int
    num_dst: int

    @classmethod
    @torch.no_grad()
    def build(
        cls,
        pos_src: Tensor,
        pos_dst: Tensor,
        neighbors: Neighbors,
        spacing: Sequence[float],
        tolerance: float = OFF,
    ) -> LatticeOffsets:
        """Groups edges by their relative position, once for all layers that share them.

        Args:
            pos_src: Positions of the sources, any unit of length.
            pos_dst: Positions of the targets, same unit and lattice.
            neighbors: The sources of each target.
            spacing: Step of the lattice along each axis, same unit; :func:`detect_spacing` finds it.
            tolerance: Allowed distance from the lattice, as a fraction of the spacing.

        Shapes:
            - **pos_src:** :math:`(N, D)`; **pos_dst:** :math:`(M, D)`

        Raises:
            ValueError: If the spacing does not fit the positions, or a point is off the lattice.
        """
        origin = pos_src[:1] if pos_src.size(0) > 0 else pos_dst[:1]
        cells_src = _cells(pos_src, origin, spacing, tolerance)
        cells_dst = cells_src if pos_dst is pos_src else _cells(pos_dst, origin, spacing, tolerance)
        if neighbors.num_edges == 0:
            codes, none = cells_src[:0], neighbors.ptr[:0]
            runs = OffsetSegments(none.int(), none, none, none.int(), none.int())
        else:
            low = cells_dst.amin(dim=0) - cells_src.amax(dim=0)
            size = (cells_dst.amax(dim=0) - cells_src.amin(dim=0) - low + 1).tolist()
            line_src, line_dst = _ravel(cells_src, size), _ravel(cells_dst - low, size)
            line, runs = OffsetSegments.group(neighbors, line_src, line_dst, math.prod(size))
            codes = torch.stack(torch.unravel_index(line, size), dim=-1) + low
        rel = (codes * codes.new_tensor(spacing, dtype=torch.double)).to(pos_src.dtype)
        return cls(codes, rel, runs, neighbors.num_src, neighbors.num_dst)

    @torch.no_grad()
    def only(self, kept: Tensor) -> LatticeOffsets:
        """The offsets marked in ``kept [U]`` with their edges, for instance those inside a kernel's support."""
        if bool(kept.all()):
            return self
        return LatticeOffsets(
            self.codes[kept], self.rel[kept], self.runs.only(kept), self.num_src, self.num_dst
        )

    @property
    def num_offsets(self) -> int:
        """Number of distinct offsets U."""
        return self.codes.size(0)

    @property
    def num_edges(self) -> int:
        """Number of edges E."""
        return self.runs.num_edges

    def lists(self) -> tuple[tuple[Tensor, ...], Tensor]:
        """Lists of all edges, those of dropped offsets too, and the row of each of their offsets in a table, or -1."""
        runs = self.runs
        if runs.whole is None or runs.number is None:
            number = torch.arange(self.num_offsets, dtype=torch.int32, device=self.codes.device)
            return runs.lists(self.num_src, self.num_dst, self.num_offsets), number
        return runs.whole.lists(self.num_src, self.num_dst, runs.number.numel()), runs.number

    @property
    def keys(self) -> Tensor:
        """One int64 per offset, ascending ``[U]``; the same steps have the same key in every batch."""
        half = 1 << (KEY_BITS - 1)
        return _ravel(self.codes + half, [2 * half] * self.codes.size(1))

    def __repr__(self) -> str:
        return f"LatticeOffsets(num_offsets={self.num_offsets}, num_edges={self.num_edges})"


def _cells(pos: Tensor, origin: Tensor, spacing: Sequence[float], tolerance: float) -> Tensor:
    """Positions in whole steps from the origin, ``[N, D]`` int64."""
    if len(spacing) != pos.size(1) or not all(math.isfinite(h) and h > 0 for h in spacing):
        raise ValueError(
            f"spacing must be {pos.size(1)} positive numbers, one per axis of pos, got {tuple(spacing)}"
        )
    exact = (pos.detach().double() - origin.double()) / pos.new_tensor(spacing, dtype=torch.double)
    cells = exact.round()
    if pos.numel() > 0:
        off = (exact - cells).abs().amax().item()
        if not off <= tolerance:  # also catches NaN
            raise ValueError(
                f"points must lie on one lattice of spacing {tuple(spacing)}; the worst is {off:.3g} spacings "
                f"away from it, allowed are {tolerance:g}"
            )
        steps = cells.abs().amax().item()
        if not steps < 1 << (KEY_BITS - 2):
            raise ValueError(
                f"a lattice may have {1 << (KEY_BITS - 2)} steps from point to point, got {steps:.3g}"
            )
    return cells.long()


def _ravel(cells: Tensor, size: Sequence[int]) -> Tensor:
    """Maps cells ``[N, D]`` to one number each, in lexicographic order."""
    line = cells[:, 0]
    for axis, n in enumerate(size[1:], start=1):
        line = line * n + cells[:, axis]
    return line
