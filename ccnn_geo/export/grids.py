"""A network on grids in plain tensor operations, to export it for grids of any size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ccnn_geo.export.points import ready_copy, replace
from ccnn_geo.functional.grid.conv import DIRECT_CONVS, fft_is_cheaper
from ccnn_geo.functional.grid.fft import FFTPlan, fft_conv
from ccnn_geo.functional.representations import grid_spacing
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.conv.layers import SepFlexConv

LONGEST = 1 << 24
"""Most samples along an axis: the tracer would fear an overflow at twice an unbounded size."""
MARGIN = 1 + 1e-6
"""Tolerance for the last samples in a kernel's support, which rounding must not drop."""


class GridProgram(nn.Module):
    """A :class:`~ccnn_geo.nn.ccnn.CCNN` on grids that ``torch.export`` can trace, with the same results.

    Args:
        model: The network, after its first batch of grids; it is copied.
        spacing: Distance of the samples, one value or one per axis: kernels are rendered once and become constants of
            the program. By default a grid's longest axis covers [-1, 1], as in training; kernels are then rendered at
            the resolution of each grid.
        method: ``"fft"``, ``"direct"``, or ``"auto"`` for the cheaper one at the training size. Without a spacing
            kernels have taps at all offsets of a grid, because a variable size cannot select some.

    Shapes:
        - **x:** :math:`(B, C_{in}, *S)`
        - **output:** :math:`(B, C_{out})`, or :math:`(B, C_{out}, *S)` with ``readout="node"``

    Raises:
        ValueError: If the network has not seen a batch of grids, or a kernel has no end.

    Example:
        >>> model = CCNN.from_preset("ccnn_4_16", dim=2, in_channels=3, out_channels=10)
        >>> out = model(torch.randn(2, 3, 8, 8))
        >>> program, image = GridProgram(model.eval()), torch.randn(1, 3, 12, 10)
        >>> torch.allclose(program(image), model(image), atol=1e-3)
        True
        >>> program.inputs
        {'x': ['B', 3, 'S0', 'S1']}
    """

    def __init__(
        self, model: CCNN, spacing: float | Sequence[float] | None = None, method: str = "auto"
    ) -> None:
        super().__init__()
        if method not in ("auto", "fft", "direct"):
            raise ValueError(f"GridProgram: expected method 'auto', 'fft' or 'direct', got {method!r}")
        self.dim = model.dim
        self.model = ready_copy(model)
        trained = self.model.stem.grid.reference_spacing
        if not (trained > 0).all():
            raise ValueError("export: the network has not seen a grid; run it on one first")
        step = None if spacing is None else grid_spacing((1,) * self.dim, spacing)
        self.trained_size = tuple(max(2, round(2 / h) + 1) for h in trained.tolist())
        for conv in self.model.convs:
            replace(self.model, conv, GridSum(conv, self.trained_size, step, method))

    def forward(self, x: Tensor) -> Tensor:
        return self.model.answers(self.model.head(self.model.features(x)), x)

    def example(self) -> tuple[tuple[Tensor, ...], tuple[dict[int, Any], ...]]:
        """Inputs for tracing, and the sizes that may change."""
        size = [min(s, 32) + d for d, s in enumerate(self.trained_size)]
        x = torch.randn(2, self.model.in_channels, *size).to(self.model.head.linear.weight)
        names = ("depth", "height", "width")[-self.dim :] if self.dim > 1 else ("length",)
        sizes = {2 + d: torch.export.Dim(name, min=1, max=LONGEST) for d, name in enumerate(names)}
        return (x,), ({0: torch.export.Dim("batch", min=1), **sizes},)

    @property
    def outputs(self) -> list[Any]:
        """Shape of the output; its channels are classes or targets."""
        cells = self.inputs["x"][2:] if self.model.readout == "node" else []
        return ["B", self.model.out_channels, *cells]

    @property
    def inputs(self) -> dict[str, list[Any]]:
        """Names and shapes of the inputs, for users of the program alone."""
        return {"x": ["B", self.model.in_channels, *(f"S{d}" for d in range(self.dim))]}


class GridSum(nn.Module):
    """A convolution of grids of any size that replaces a layer."""

    taps: Tensor | None

    def __init__(
        self, conv: SepFlexConv, trained: Sequence[int], step: tuple[float, ...] | None, method: str
    ) -> None:
        super().__init__()
        self.conv = conv
        self.reference = conv.grid.reference_spacing.tolist()
        reach = [n - 1 for n in trained]
        if step is not None:
            support = conv.kernel.support()
            if not support.isfinite().all():
                raise ValueError(
                    "export: a kernel has no end, because it has no window and was not trained on a grid"
                )
            reach = [math.floor(r / h * MARGIN) for r, h in zip(support.tolist(), step, strict=True)]
        size = [n + 1 if conv.kernel.causal else 2 * n + 1 for n in reach]
        self.method = ("fft" if fft_is_cheaper(trained, size) else "direct") if method == "auto" else method
        self.register_buffer("taps", None if step is None else self._render(reach, step).contiguous())

    def forward(self, x: Tensor, **_: Any) -> Tensor:
        size = tuple(x.shape[2:])
        taps = self._taps_of(size) if self.taps is None else self.taps
        shape = tuple(taps.shape[1:])
        center = tuple(0 if self.conv.kernel.causal else k // 2 for k in shape)
        if self.method == "direct":
            # a separate padding: converters accept no convolution with padding that depends on a size
            pads = [p for k, m in zip(reversed(shape), reversed(center), strict=True) for p in (k - 1 - m, m)]
            correlate, axes = DIRECT_CONVS[self.conv.dim], tuple(range(-self.conv.dim, 0))
            y = correlate(F.pad(x, pads), taps.flip(axes).unsqueeze(1), groups=x.size(1))
            return self.conv.mix(y)
        # large enough that wrap-around only reaches discarded outputs, and for all taps
        lengths = tuple(
            2 * s - 1 if self.taps is None else s + k - 1 for s, k in zip(size, shape, strict=True)
        )
        return self.conv.mix(fft_conv(x, taps, FFTPlan(size, shape, center, lengths, False)))

    def _taps_of(self, size: Sequence[int]) -> Tensor:
        """Taps at all offsets of a grid whose longest axis covers [-1, 1]; symbolic sizes cannot select some."""
        longest = size[0]
        for s in size[1:]:
            longest = torch.sym_max(longest, s)
        # a single cell has spacing 1, as in grid_spacing; symbols allow no "if"
        cells = torch.sym_max(longest - 1, 4 - 2 * longest)
        return self._render([s - 1 for s in size], (2.0 / cells,) * len(size))

    def _render(self, reach: Sequence[int], step: Sequence[float]) -> Tensor:
        kernel = self.conv.kernel
        axes = [
            torch.arange(0 if kernel.causal else -n, n + 1, dtype=torch.double) * h
            for n, h in zip(reach, step, strict=True)
        ]
        rel = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).to(kernel.network.output.weight)
        measure = 1.0
        for h, r in zip(step, self.reference, strict=True):
            measure = measure * (h / r)
        return (kernel.definition(rel) * measure).movedim(-1, 0)
