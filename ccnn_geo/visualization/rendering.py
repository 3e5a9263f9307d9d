"""The kernels of a network, rendered by its convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ccnn_geo.functional.edge.kernel_values import kernel_values
from ccnn_geo.nn.conv.base import ContinuousConv

RESOLUTION = {1: 513, 2: 65, 3: 25}
"""Samples along the kernel's support, by dimension, for a layer that has seen no lattice."""


@dataclass(frozen=True, eq=False)
class LayerKernels:
    r"""The kernels of one convolution on a lattice of offsets.

    Args:
        name: ``stem``, ``block 1``, ...
        axes: Offsets along each axis, target minus source, in units of the positions.
        values: Kernel values, including the window.
        on_lattice: Whether they are the taps of the lattice in the layer's training.

    Shapes:
        - **axes:** D tensors :math:`(K_d)`; **values:** :math:`(C, K_1, \\dots, K_D)`

    Example:
        >>> model = CCNN.from_preset("ccnn_4_16", dim=1, in_channels=3, out_channels=2)
        >>> out = model(torch.randn(2, 3, 50))
        >>> stem = render_kernels(model, layers=[0])[0]
        >>> stem.name, stem.num_channels, stem.dim, stem.on_lattice
        ('stem', 3, 1, True)
    """

    name: str
    axes: tuple[Tensor, ...]
    values: Tensor
    on_lattice: bool

    @property
    def dim(self) -> int:
        """Number of axes D."""
        return len(self.axes)

    @property
    def num_channels(self) -> int:
        """Number of kernels C."""
        return self.values.size(0)

    def strongest(self, count: int) -> list[int]:
        """Channels with the largest sums of squares, in ascending order."""
        energy = self.values.flatten(1).square().sum(dim=1)
        return sorted(energy.topk(min(count, self.num_channels)).indices.tolist())


def convolutions(model: nn.Module) -> dict[str, ContinuousConv]:
    """All convolutions of a model by name, the stem first; ``metrics.csv`` numbers their windows in this order."""
    return {_name(n): m for n, m in model.named_modules() if isinstance(m, ContinuousConv)}


@torch.no_grad()
def render_kernels(
    model: nn.Module, layers: Sequence[int] | None = None, resolution: int | None = None
) -> list[LayerKernels]:
    """Evaluates the kernels of a model over their support, at the taps of the training lattice, if there was one.

    Args:
        model: A :class:`~ccnn_geo.nn.ccnn.CCNN`, or any module with such convolutions.
        layers: Numbers of the layers, 0 for the stem; all by default.
        resolution: Samples along each axis of the support in place of the lattice, to show values between its taps.

    Returns:
        One entry per layer.

    Raises:
        ValueError: If there is no such layer, or a kernel has no end and has seen no data.
    """
    found = list(convolutions(model).items())
    if not found:
        raise ValueError(f"expected a model with continuous convolutions, got {type(model).__name__}")
    if resolution is not None and resolution < 2:
        raise ValueError(f"expected a resolution of 2 or more, got {resolution}")
    for layer in layers or ():
        check_index("layer", layer, len(found))
    chosen = found if layers is None else [found[i] for i in layers]
    return [_render(name, conv, resolution) for name, conv in chosen]


def check_index(what: str, index: int, size: int) -> None:
    """Raises ``ValueError`` unless ``0 <= index < size``."""
    if not 0 <= index < size:
        raise ValueError(f"expected {what} 0 to {size - 1}, got {index}")


def _render(name: str, conv: ContinuousConv, resolution: int | None) -> LayerKernels:
    kernel, support = conv.kernel, conv.kernel.support()
    if not bool(torch.isfinite(support).all()):
        raise ValueError(f"{name}: the kernel has no end, expected a window or a model that has seen data")
    step = conv.grid.reference_spacing
    seen = bool((step > 0).all()) and bool(torch.isfinite(kernel.domain).all())
    on_lattice = seen and resolution is None
    if on_lattice:
        size = [
            math.floor(d / h + 0.5) + 1 for d, h in zip(kernel.domain.tolist(), step.tolist(), strict=True)
        ]
        rel, _ = conv.kernel_taps(size, step.tolist())
    else:
        count = resolution or RESOLUTION[kernel.dim]
        axes = [torch.linspace(0 if kernel.causal else -s, s, count) for s in support.tolist()]
        rel = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).to(conv.kernel.network.output.weight)
    values = kernel_values(kernel, rel).movedim(-1, 0)
    axes = []
    for d, bound in enumerate(support.tolist()):
        along = rel.movedim(d, 0).flatten(1, -2)[:, 0, d] if kernel.dim > 1 else rel[:, 0]
        inside = along.abs() <= bound * (1 + 1e-6)  # taps come in coarse steps: some are zero
        values = values.index_select(d + 1, inside.nonzero().squeeze(1))
        axes.append(along[inside].cpu())
    return LayerKernels(name, tuple(axes), values.cpu(), on_lattice)


def _name(path: str) -> str:
    """``blocks.0.conv`` is block 1, ``blocks.0.conv2`` its second convolution."""
    parts = path.split(".")
    if parts[0] != "blocks" or len(parts) != 3:
        return path or "convolution"
    return f"block {int(parts[1]) + 1}" + (f", {parts[2]}" if parts[2] != "conv" else "")
