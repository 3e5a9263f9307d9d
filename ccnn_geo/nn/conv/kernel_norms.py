"""Penalties on generated kernels, collected while a model runs forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ccnn_geo._base.tracing import is_traced
from ccnn_geo.neighbors import build_neighbors

if TYPE_CHECKING:
    from ccnn_geo.kernels.continuous import ContinuousKernel
    from ccnn_geo.nn.conv.plan import PointPlan

_NORMS: ContextVar[list[Tensor] | None] = ContextVar("kernel_norms", default=None)

CHUNK_EDGES = 1 << 16

SAMPLE_TARGETS = 256
"""Number of targets over which a kernel's norm is averaged; all of them would cost more than the convolution."""


@contextmanager
def collect_kernel_norms() -> Iterator[list[Tensor]]:
    r"""Collects :math:`\lVert k_l \rVert^2` of every convolution that runs inside the ``with`` block.

    On a grid it is the sum over all taps and channels of the rendered kernel. On points it is the same sum over a
    target's neighbours, averaged over the targets (a random sample if there are many). The norms are
    differentiable, and nothing is stored in the modules. Modules under ``torch.compile`` record no norms.

    Example:
        >>> model = CCNN(1, 10, dim=1, hidden_channels=8)
        >>> with collect_kernel_norms() as norms:
        ...     logits = model(torch.randn(2, 1, 64))
        >>> penalty = l2_penalty(norms)
        >>> len(norms)
        5
    """
    norms: list[Tensor] = []
    token = _NORMS.set(norms)
    try:
        yield norms
    finally:
        _NORMS.reset(token)


@contextmanager
def ignore_kernel_norms() -> Iterator[None]:
    """Collects nothing inside the ``with`` block, e.g. while the first batch sets the scale of a kernel."""
    token = _NORMS.set(None)
    try:
        yield
    finally:
        _NORMS.reset(token)


def collected() -> list[Tensor] | None:
    """The norms collected so far; ``None`` if none are being collected, as in compiled code."""
    return None if is_traced() else _NORMS.get()


def l2_penalty(norms: list[Tensor]) -> Tensor:
    r"""The regulariser of Eq. 3 without its factor, :math:`\frac12 \sum_l \lVert k_l \rVert^2`.

    Args:
        norms: The norms from :func:`collect_kernel_norms`.

    Shapes:
        - **output:** scalar

    Raises:
        ValueError: If no convolution has run.
    """
    if not norms:
        raise ValueError(
            "l2_penalty: expected the norm of at least one kernel, got none; "
            "run the model inside collect_kernel_norms"
        )
    return 0.5 * torch.stack(norms).sum()


def record_grid(taps: Tensor) -> None:
    """Adds the norm of rendered kernel taps ``[*K, C]``, if norms are being collected."""
    norms = collected()
    if norms is not None:
        norms.append(taps.square().sum())


def record_points(kernel: ContinuousKernel, plan: PointPlan) -> None:
    r"""Adds :math:`\sum_j \lVert k(p_i - p_j) \rVert^2`, averaged over targets, if norms are being collected.

    The mean is over :data:`SAMPLE_TARGETS` random targets if there are more. With the Gram matrix
    :math:`G = \sum \varphi \varphi^\top` the sum over edges is :math:`\mathrm{tr}(W G W^\top)`, so that no kernel
    is rendered per edge.
    """
    norms = collected()
    if norms is None:
        return
    pos_src, pos_dst = plan.pos
    chosen = torch.randperm(pos_dst.size(0), device=pos_dst.device)[:SAMPLE_TARGETS].sort().values
    if plan.sees_all:
        batch_src, batch_dst = plan.batch
        batch_dst = None if batch_dst is None else batch_dst[chosen]
        pairs = build_neighbors(pos_src, batch_src, None, pos_dst=pos_dst[chosen], batch_dst=batch_dst)
    else:
        pairs = plan.neighbors.of(chosen)
    source, target = pairs.edge_index
    pos_dst = pos_dst.index_select(0, chosen)

    def gram(rel: Tensor) -> Tensor:
        basis = kernel.basis_inside(rel)
        return basis.mT @ basis

    total: Tensor | float = 0.0
    for s, t in zip(source.split(CHUNK_EDGES), target.split(CHUNK_EDGES), strict=True):
        rel = pos_dst[t] - pos_src[s]
        total = total + checkpoint(gram, rel[kernel.inside(rel)], use_reentrant=False)
    weight = kernel.output_weight()
    norms.append(((weight @ total) * weight).sum() / max(1, chosen.numel()))
