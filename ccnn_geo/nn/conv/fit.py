r"""How far a fresh kernel reaches and how fast it is: what the samples of the first batch say.

A kernel whose settings name neither ``omega_0`` nor ``window_init`` is fitted once, before its first sum:

* on **points** its window is the box in which a point has 32 neighbours, the median over points and clouds;
* on a **grid** it ends :math:`\max(0.16\,(S - 1) / 2, \; n_D)` cells away, where :math:`S` is the longest axis. 0.16 of
  half of it is the end of the paper's window; :math:`n_D` makes a box of 33 cells, 16 to either side in one dimension
  (32 of a causal kernel), 2.4 in two and 1.1 in three, and a quarter more;
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
from ccnn_geo.kernels.config import PAPER_END
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.nn.conv.plan import NEIGHBORS, PointPlan

MARGIN = 0.25
"""Cells, so that none lies where rounding would say whether it is inside; of points their spacing, or less."""


def grid_reach(size: Sequence[int], causal: bool) -> float:
    """Cells from the centre of a window to its end, by the rule above.

    Args:
        size: Length of each axis.
        causal: Whether the kernel has one side only.

    Example:
        >>> [round(grid_reach(size, False), 1) for size in [(784,), (32, 32), (30, 30, 30)]]
        [63.3, 2.7, 2.6]
    """
    box = (NEIGHBORS + 1) ** (1 / len(size)) - 1
    return max(PAPER_END * (max(size) - 1) / 2, box if causal else box / 2) + MARGIN


def fit_to_grid(kernel: ContinuousKernel, size: Sequence[int], step: Sequence[float]) -> None:
    """Fits a kernel to a grid, and warns where only its user knows better: how long a causal sequence gets."""
    if is_distributed() and not kernel.training:  # not every process need take part in an evaluation
        return
    spacing = torch.tensor(step, dtype=torch.double)
    cells = grid_reach(size, kernel.causal)
    kernel.fit(cells * spacing, spacing, band_limited=len(size) > 2)
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
        end = reach + MARGIN * torch.minimum(spacing, reach / 8)
        kernel.fit(end.expand(kernel.dim), spacing.expand(kernel.dim))
