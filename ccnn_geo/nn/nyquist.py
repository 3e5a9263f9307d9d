"""The distance between points, and a penalty on filters above the Nyquist rate of that distance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ccnn_geo._base.processes import is_distributed, mean_over_processes
from ccnn_geo._base.recording import refuse_recording
from ccnn_geo.functional.representations import grid_spacing
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors.spacing import estimate_spacing


@torch.no_grad()
def sample_spacing(
    x: Tensor | None,
    pos: Tensor | None = None,
    batch: Tensor | None = None,
    spacing: float | Sequence[float] | None = None,
) -> Tensor:
    """Distance between the cells of a grid, or between neighbouring points: the median over the clouds.

    Args:
        x: A grid, if there is no ``pos``.
        pos: Positions of points.
        batch: Cloud of each point, sorted.
        spacing: The distance, if known. Otherwise a grid's longest axis covers [-1, 1], and the distance in a cloud
            comes from :func:`~ccnn_geo.neighbors.spacing.estimate_spacing`.

    Shapes:
        - **x:** :math:`(B, C, *S)`; **pos:** :math:`(N, D)`; **batch:** :math:`(N)`
        - **output:** :math:`(D)`, in units of the positions, on the host

    Raises:
        ValueError: If no cloud has six distinct points.
    """
    if pos is None:
        assert x is not None, "a grid or positions"
        return torch.tensor(grid_spacing(x.shape[2:], spacing))
    if spacing is not None:
        return torch.tensor(grid_spacing((1,) * pos.size(1), spacing))
    median = estimate_spacing(pos, batch).nanmedian().cpu()
    if not median > 0:  # NaN as well
        raise ValueError(
            "sample_spacing: expected a cloud of at least six distinct points to estimate the spacing from, "
            f"got {pos.size(0)} points in all; give the spacing"
        )
    return median.expand(pos.size(1)).clone()


class FirstSpacing(nn.Module):
    """The :func:`sample_spacing` of the first batch, kept in the state dict.

    In a distributed run it is the mean over all processes, and an evaluation before the first training step sets
    nothing, as in :class:`~ccnn_geo.nn.conv.unit_variance.UnitVariance`.

    Args:
        dim: Dimension :math:`D` of the positions.
    """

    value: Tensor
    _known = False

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(dim))
        self.register_load_state_dict_post_hook(_look_again)

    def reset_parameters(self) -> None:
        """Lets the next batch set the spacing."""
        self.value.zero_()
        self._known = False

    @property
    def is_known(self) -> bool:
        """Whether a batch has set it. Asks the buffer (one wait for the device) only as long as none has."""
        if self._known:
            return True
        refuse_recording(self.value, "the spacing of the samples is not known yet; run the model once before")
        return bool((self.value > 0).all())

    @torch.no_grad()
    def measure(self, *carrier: Any) -> bool:
        """Sets the spacing to the :func:`sample_spacing` of a batch; returns whether it did."""
        if is_distributed() and not self.training:
            return False
        self.value.copy_(mean_over_processes(sample_spacing(*carrier), self.value.device))
        self._known = True
        return True


def _look_again(spacing: FirstSpacing, *_: object) -> None:
    spacing._known = False  # read the buffer again


def nyquist_penalty(kernels: Iterable[ContinuousKernel], spacing: float | Sequence[float] | Tensor) -> Tensor:
    r"""Penalises filters above the Nyquist rate :math:`\pi / h_d`, in proportion to that rate.

    .. math::
        \sum_{k, l, j, d} \Big[ \frac{(L + 1) f_{kljd} + f^w_{kd}}{\pi / h_d} - 1 \Big]_+^2,
        \qquad f = |\omega| + 2 \gamma

    over the filters :math:`j` of the layers :math:`0 \le l \le L` of all kernels, where :math:`f^w` is the width of
    the window's spectrum. The penalty is zero if each layer stays within its share of the frequencies that the window
    leaves, so that no product of filters exceeds the Nyquist rate. Otherwise its gradient slows down filters and
    widens windows.

    Args:
        kernels: The kernels, e.g. ``[conv.kernel for conv in model.convs]``.
        spacing: Distance :math:`h` between points or cells, one number or one per axis: see :func:`sample_spacing`.

    Shapes:
        - **output:** scalar

    Raises:
        ValueError: If there is no kernel, or one has no frequencies.

    Source: Romero et al., 2022 (FlexConv), appendix, in Hz and for regular grids.
    """
    total: Tensor | None = None
    for kernel in kernels:
        nyquist, window = kernel.nyquist(spacing), kernel.window_frequency()
        layers = kernel.filter_frequencies()
        for frequencies in layers:
            excess = (len(layers) * frequencies + window) / nyquist - 1
            cost = excess.clamp(min=0).square().sum()
            total = cost if total is None else total + cost
    if total is None:
        raise ValueError("nyquist_penalty: expected at least one kernel, got none")
    return total
