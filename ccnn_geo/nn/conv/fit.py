r"""How far a fresh kernel reaches and how fast it is: what the samples of the first batch say.

A kernel whose settings name neither ``omega_0`` nor ``window_init`` is fitted once, before its first sum:

* on **points** the weights of its window add up to some 32 neighbours: a Gaussian of 0.68 of the distance to the 32nd
  has nearly as much length, area or volume as the ball; that distance is the median over points and clouds;
* on a **grid** it covers a box of some cells, 33 in one dimension (all of them in the past of a causal kernel),
  13 x 13, or 5 x 5 x 5; and at least the paper's part of the longest axis, 0.16 of half of it to either side;
* on points and volumes no kernel starts above the Nyquist rate of the samples, since others will lie elsewhere; on
  sequences and images, whose samples stay where they are, the values at neighbouring cells start independent of each
  other, as those of a discrete convolution, unless the window is so long that a small network could not tell them
  apart (:meth:`~ccnn_geo.kernels.ContinuousKernel.fit`).
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
"""Cells of a window's box along an axis, by the number of axes."""

PAPER_END = PAPER["window_init"] * math.sqrt(-2 * math.log(0.1))
"""Where the paper's window ends, in units of half the longest axis."""

MARGIN = 0.25
"""Cells, so that none lies where rounding would say whether it is inside."""

END = 1.45
"""Where a window ends, in units of the distance to the 32nd neighbour: a Gaussian of 0.68 of it has fallen to 0.1."""


def grid_reach(size: Sequence[int], causal: bool) -> float:
    """Cells from the centre of a window to its end, by the rule above.

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
    """Fits a kernel to a grid, and warns where only its user knows better: how long a causal sequence gets."""
    if is_distributed() and not kernel.training:  # not every process need take part in an evaluation
        return
    spacing = torch.tensor(step, dtype=torch.double)
    cells = grid_reach(size, kernel.causal)
    share = min(1.0, 2 * cells / max(1, max(size) - 1)) if len(size) < 3 else None
    kernel.fit(cells * spacing, spacing, share)
    if kernel.causal and kernel.window is not None:
        warnings.warn(
            f"causal kernels start with the last {math.floor(cells)} of {size[0]} samples, since window_init and "
            "omega_0 are not given; name them if the past counts for longer, or if sequences get another length",
            UserWarning,
            stacklevel=2,
        )


def fit_to_points(kernel: ContinuousKernel, plan: PointPlan) -> None:
    """Fits a kernel to the points of a batch; a batch without two distinct points in a cloud says nothing."""
    if is_distributed() and not kernel.training:
        return
    reach, spacing = mean_over_processes(plan.first_scale, plan.pos[0].device)
    if reach > 0:  # not NaN
        kernel.fit((END * reach).expand(kernel.dim), spacing.expand(kernel.dim))
