"""Penalties on generated kernels, collected while a model runs forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ccnn_geo.neighbors import build_neighbors

if TYPE_CHECKING:
    from ccnn_geo.continuous_kernel import ContinuousKernel
    from ccnn_geo.point_plan import PointPlan

_NORMS: ContextVar[list[Tensor] | None] = ContextVar("kernel_norms", default=None)

CHUNK_EDGES = 1 << 16

SAMPLE_TARGETS = 256
"""Targets over which the norm of a kernel that sees all points is averaged."""


@contextmanager
def collect_kernel_norms() -> Iterator[list[Tensor]]:
    r"""Collects :math:`\lVert k_l \rVert^2` of every convolution that runs inside the ``with`` block.

    On a grid it is the sum over all taps and channels of the rendered kernel; on points the same sum over a
    target's neighbours, averaged over the targets. The norms are differentiable, and nothing is stored in
    the modules.

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
    """Collects nothing inside the ``with`` block, e.g. while a first batch sets the scale of a kernel."""
    token = _NORMS.set(None)
    try:
        yield
    finally:
        _NORMS.reset(token)


def is_collecting() -> bool:
    """Whether norms are being collected."""
    return _NORMS.get() is not None


def l2_penalty(norms: list[Tensor]) -> Tensor:
    r"""The regulariser of Eq. 3 without its factor, :math:`\frac12 \sum_l \lVert k_l \rVert^2`.

    Args:
        norms: What :func:`collect_kernel_norms` has collected.

    Shapes:
        - **output:** scalar

    Raises:
        ValueError: If no convolution has run.
    """
    if not norms:
        raise ValueError(
            "l2_penalty: expected the norm of at least one kernel, got none; run the model inside"
        )
    return 0.5 * torch.stack(norms).sum()


def record_grid(taps: Tensor) -> None:
    """Adds the norm of rendered kernel taps ``[*K, C]``, if norms are being collected."""
    norms = _NORMS.get()
    if norms is not None:
        norms.append(taps.square().sum())


def record_edges(
    kernel: ContinuousKernel, pos: tuple[Tensor, Tensor], source: Tensor, target: Tensor
) -> None:
    r"""Adds :math:`\sum_j \lVert k(p_i - p_j) \rVert^2`, averaged over targets, if norms are being collected.

    With the Gram matrix :math:`G = \sum \varphi \varphi^\top` the sum over all edges is
    :math:`\mathrm{tr}(W G W^\top)`: no kernel is rendered per edge.
    """
    norms = _NORMS.get()
    if norms is None:
        return

    def gram(rel: Tensor) -> Tensor:
        basis = kernel.basis_inside(rel)
        return basis.mT @ basis

    total: Tensor | float = 0.0
    for s, t in zip(source.split(CHUNK_EDGES), target.split(CHUNK_EDGES), strict=True):
        rel = pos[1][t] - pos[0][s]
        total = total + checkpoint(gram, rel[kernel.inside(rel)], use_reentrant=False)
    weight = kernel.output_weight()
    norms.append(((weight @ total) * weight).sum() / max(1, pos[1].size(0)))


def record_sample(kernel: ContinuousKernel, plan: PointPlan) -> None:
    """As :func:`record_edges` for targets that see all sources of their cloud: the mean over a random sample."""
    if not is_collecting():
        return
    (source, target), (batch_src, batch_dst) = plan.pos, plan.batch
    chosen = torch.randperm(target.size(0), device=target.device)[:SAMPLE_TARGETS].sort().values
    target, batch_dst = target[chosen], None if batch_dst is None else batch_dst[chosen]
    pairs = build_neighbors(source, batch_src, None, pos_dst=target, batch_dst=batch_dst)
    record_edges(kernel, (source, target), *pairs.edge_index)
