r"""Fits the reach and the frequencies of a fresh kernel to the first batch.

A kernel is fitted once, before its first sum, if its settings name neither ``omega_0`` nor ``window_init``:

* on **points** the weights of its window add up to about 32 neighbours: a Gaussian of 0.68 times the distance to the
  32nd has nearly the length, area or volume of that ball. The distance is the median over points and clouds;
* on a **grid** it covers a box of 33 cells in one dimension (all of them in the past for a causal kernel), 13 x 13 or
  5 x 5 x 5 cells, and at least the paper's share of the longest axis: 0.16 of half of it to either side;
* on points and volumes no kernel starts above the Nyquist rate, since later samples have other positions;
* on sequences and images, where positions stay the same, values at neighbouring cells start independent of each
  other, as in a discrete convolution, unless the window is too long for a small network to separate its cells
  (:meth:`~ccnn_geo.kernels.ContinuousKernel.fit`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import torch

from ccnn_geo._base.processes import is_distributed, mean_over_processes
from ccnn_geo.kernels.config import PAPER
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.nn.conv.plan import PointPlan

ACROSS = {1: 33, 2: 13, 3: 5}
"""Cells along each axis of a window's box, by the number of axes."""

PAPER_END = PAPER["window_init"] * math.sqrt(-2 * math.log(0.1))
"""End of the paper's window, in units of half the longest axis."""

MARGIN = 0.25
"""Extra cells, so that rounding never decides whether a cell is inside."""

END = 1.45
"""End of a window, in units of the distance to the 32nd neighbour: there a Gaussian of 0.68 has fallen to 0.1."""


def grid_reach(size: Sequence[int], causal: bool) -> float:
    """Number of cells from the centre of a window to its end, by the rule above.

    Args:
        size: Length of each axis.
        causal: Whether the kernel has one side only.

    Example:
        >>> [round(grid_reach(size, False), 1) for size in [(784,), (32, 32), (30, 30, 30)]]
        [63.3, 6.2, 2.6]
    """
    box = ACROSS[len(size)] - 1
    return max(PAPER_END * (max(size) - 1) / 2, box if causal else box / 2) + MARGIN


def fit_to_grid(kernel: ContinuousKernel, size: Sequence[int], step: Sequence[float]) -> None:
    """Fits a kernel to a grid; warns about causal ones, because only the user knows how long sequences get."""
    if is_distributed() and not kernel.training:  # some processes may skip an evaluation
        return
    spacing = torch.tensor(step, dtype=torch.double)
    cells = grid_reach(size, kernel.causal)
    share = min(1.0, 2 * cells / max(1, max(size) - 1)) if len(size) < 3 else None
    kernel.fit(cells * spacing, spacing, share)
    if kernel.causal and kernel.window is not None:
        warnings.warn(
            f"causal kernels start with the last {math.floor(cells)} of {size[0]} samples, since window_init and "
            "omega_0 are not given; set them if the past matters for longer, or if the length of sequences changes",
            UserWarning,
            stacklevel=2,
        )


def fit_to_points(kernel: ContinuousKernel, plan: PointPlan) -> None:
    """Fits a kernel to the points of a batch; needs a cloud with two distinct points and waits for one otherwise."""
    if is_distributed() and not kernel.training:
        return
    reach, spacing = mean_over_processes(plan.first_scale, plan.pos[0].device)
    if reach > 0:  # not NaN
        kernel.fit((END * reach).expand(kernel.dim), spacing.expand(kernel.dim))
