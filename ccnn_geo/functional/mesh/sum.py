"""The lattice convolution between sources and targets, with its derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ccnn_geo.functional.first_order import refuse_second_order
from ccnn_geo.functional.grid.fft import fast_length
from ccnn_geo.functional.mesh.bspline import bspline_dual
from ccnn_geo.functional.mesh.geometry import LatticeGroup, MeshGeometry

BOX_FLOATS = 1 << 25
"""Numbers in the unpadded lattices in memory at once: channels are processed in chunks of this size."""

FFT_FLOATS = {"cpu": 1 << 20, "cuda": 1 << 25}
"""Numbers per FFT call: what the caches hold (CPU), and for a GPU what some twenty launches pay for.

Of 2^25 floats a buffer has 128 MB, and some ten are alive in the backward pass, two spectra, their product and sum,
what the transforms put aside: 1.3 GB. They move 1.3 GB or more, 0.4 ms at an assumed 3 TB/s, for which the host needs
0.1 ms at an assumed 5 us a launch; with 2^20 floats the device would idle nine tenths of the time. An estimate: no GPU
was measured."""

FADE_PER_ORDER = 2
"""The dual of a spline decays over a number of cells that grows with its order."""


def recall(memory: dict[Hashable, Tensor] | None, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
    """Returns the value stored under a key; makes it if there is none, or no memory."""
    if memory is None:
        return make()
    if key not in memory:
        memory[key] = make()
    return memory[key]


class MeshSum(torch.autograd.Function):
    r"""Sums :math:`y_i = \sum_n W_{in} \sum_m \tilde k_{n-m} \sum_j W_{jm} x_j` over the lattices of each cloud.

    Args:
        geometry: The lattices, with stencils :math:`W`.
        memory: Cache for spectra of the taps, for further calls; ``None`` for no cache.
        x: Features ``[N, C]``.
        taps: Kernel at lattice offsets ``[C, *K]``, offset zero in the middle.
        coords_src, coords_dst: Coordinates of the geometry; they only carry gradients.
    """

    @staticmethod
    def forward(
        ctx: Any,
        geometry: MeshGeometry,
        memory: dict[Hashable, Tensor] | None,
        x: Tensor,
        taps: Tensor,
        coords_src: Tensor,
        coords_dst: Tensor,
    ) -> Tensor:
        ctx.geometry = geometry
        ctx.save_for_backward(x, taps)
        out = x.new_zeros(coords_dst.size(0), x.size(1))
        for group in geometry.groups:
            lattice = _Lattice(group, taps, geometry.order)
            for c in lattice.channels(boxes=1):
                cells = group.src.spread(x[:, c])
                for part, boxes in lattice.parts(cells):
                    make = partial(lattice.kernel_spectrum, taps[c][part])
                    key = (taps.shape, group.size, geometry.order, c.start, part.start, part.stop)
                    spectrum = recall(memory, key, make)
                    for (box,) in boxes:
                        lattice.write(lattice.forward(box).mul_(spectrum), box)
                out[group.dst.rows, c] = group.dst.gather(cells)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_order("mesh_conv")
        with torch.autocast(grad.device.type, enabled=False):
            return MeshSum._backward(ctx, grad)

    @staticmethod
    def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, taps = ctx.saved_tensors
        geometry = ctx.geometry
        need_x, need_taps, need_src, need_dst = ctx.needs_input_grad[2:]
        grad_x = torch.zeros_like(x) if need_x else None
        grad_taps = torch.zeros_like(taps) if need_taps else None
        grad_src = torch.zeros_like(geometry.coords_src) if need_src else None
        grad_dst = torch.zeros_like(geometry.coords_dst) if need_dst else None
        for group in geometry.groups:
            lattice = _Lattice(group, taps, geometry.order)
            src, dst = group.src, group.dst
            for c in lattice.channels(boxes=2):
                x_cells, g_cells = src.spread(x[:, c]), dst.spread(grad[:, c])
                for part, boxes in lattice.parts(x_cells, g_cells):
                    spectrum = lattice.kernel_spectrum(taps[c][part])
                    adjoint = spectrum.conj().resolve_conj()
                    total = torch.zeros_like(spectrum)
                    for x_box, g_box in boxes:
                        g_hat = lattice.forward(g_box)
                        if need_taps or need_dst:
                            x_hat = lattice.forward(x_box)
                        if need_taps:
                            total += (x_hat.conj() * g_hat).sum(0)
                        if need_dst:
                            lattice.write(x_hat.mul_(spectrum), x_box)
                        if need_x or need_src:
                            lattice.write(g_hat.mul_(adjoint), g_box)
                    if grad_taps is not None:
                        lattice.add_taps(total, grad_taps[c][part])
                if grad_x is not None:
                    grad_x[src.rows, c] = src.gather(g_cells)
                if grad_src is not None:
                    grad_src.index_add_(0, src.rows, src.gather_slopes(g_cells, x[src.rows, c]))
                if grad_dst is not None:
                    grad_dst.index_add_(0, dst.rows, dst.gather_slopes(x_cells, grad[dst.rows, c]))
        return None, None, grad_x, grad_taps, grad_src, grad_dst


def fade_margin(order: int) -> int:
    """Cells beyond the largest offset over which a longer kernel fades to zero, because an abrupt end would ring."""
    return FADE_PER_ORDER * order


def padded_size(size: Sequence[int], reach: Sequence[int], margin: int) -> list[int]:
    """Lengths of the transforms, chosen so that wrap-around only reaches cells that are cut off."""
    reach = [min(r, n - 1 + margin) for r, n in zip(reach, size, strict=True)]
    return [fast_length(max(n + r, 2 * r + 1)) for n, r in zip(size, reach, strict=True)]


class _Lattice:
    """Transforms between the cells of a group of clouds and their padded spectra."""

    def __init__(self, group: LatticeGroup, taps: Tensor, order: int) -> None:
        self.size, self.num_clouds, self.num_channels = group.size, group.num_clouds, taps.size(0)
        self.axes = tuple(range(-len(self.size), 0))
        given = [k // 2 for k in taps.shape[1:]]
        margin = fade_margin(order)
        self.reach = [min(r, n - 1 + margin) for r, n in zip(given, self.size, strict=True)]
        self.lengths = padded_size(self.size, given, margin)
        self.window = tuple(slice(g - r, g + r + 1) for g, r in zip(given, self.reach, strict=True))
        where = "cpu" if taps.device.type == "mps" else taps.device  # Metal has no float64
        self.fft_floats = FFT_FLOATS.get(taps.device.type, FFT_FLOATS["cuda"])
        self.fade = taps.new_ones([2 * r + 1 for r in self.reach])
        self.filter = taps.new_ones([*self.lengths[:-1], self.lengths[-1] // 2 + 1])
        for d, (n, r, length) in enumerate(zip(self.size, self.reach, self.lengths, strict=True)):
            shape = [-1 if a == d else 1 for a in range(len(self.size))]
            if r >= n:  # taps for offsets that do not occur are there to end the kernel smoothly
                offsets = torch.arange(-r, r + 1, dtype=torch.float64, device=where)
                beyond = (offsets.abs() - (n - 1)).clamp(min=0)
                fade = torch.cos(beyond * (math.pi / 2 / (r - n + 2))).square()
                self.fade = self.fade * fade.to(taps).view(shape)
            dual = bspline_dual(length, order, half=d == len(self.size) - 1, device=where).square()
            self.filter = self.filter * dual.to(taps).view(shape)

    def channels(self, boxes: int) -> Iterator[slice]:
        """Chunks of channels whose cells fit the budget."""
        cells = self.num_clouds * math.prod(self.size) * boxes
        return _chunks(self.num_channels, BOX_FLOATS // cells)

    def parts(self, *cells: Tensor) -> Iterator[tuple[slice, Iterator[tuple[Tensor, ...]]]]:
        """Chunks of channels, and for each the lattices ``[b, c, *size]`` of chunks of clouds, as views."""
        views = [t.view(self.num_clouds, *self.size, -1).movedim(-1, 1) for t in cells]
        fit = self.fft_floats // math.prod(self.lengths)
        for part in _chunks(views[0].size(1), fit):
            clouds = _chunks(self.num_clouds, fit // (part.stop - part.start))
            yield part, (tuple(v[b, part] for v in views) for b in clouds)

    def forward(self, box: Tensor) -> Tensor:
        """Spectrum of lattices ``[b, c, *size]``; the transform pads the first axis itself, which saves 10 % time."""
        rows = self.size[:1] if len(self.size) > 1 else self.lengths[:1]
        padded = box.new_zeros(*box.shape[:2], *rows, *self.lengths[1:])
        padded[(slice(None), slice(None), *(slice(n) for n in self.size))] = box
        if len(self.size) == 1:
            return torch.fft.rfft(padded)
        spectrum = torch.fft.rfftn(padded, dim=self.axes[1:])
        return torch.fft.fft(spectrum, n=self.lengths[0], dim=self.axes[0])

    def write(self, spectrum: Tensor, box: Tensor) -> None:
        """Transforms back into a view of the cells, cropping each axis before the next transform."""
        for axis, n in zip(self.axes[:-1], self.size[:-1], strict=True):
            spectrum = torch.fft.ifft(spectrum, dim=axis).narrow(axis, 0, n)
        box.copy_(torch.fft.irfft(spectrum, n=self.lengths[-1])[..., : self.size[-1]])

    def kernel_spectrum(self, taps: Tensor) -> Tensor:
        """Spectrum of taps ``[c, *K]``, divided by the spectra of the splines."""
        padded = taps.new_zeros(taps.size(0), *self.lengths)
        taps = taps[(slice(None), *self.window)] * self.fade
        padded[(slice(None), *(slice(s) for s in taps.shape[1:]))] = taps
        padded = padded.roll([-r for r in self.reach], self.axes)
        return torch.fft.rfftn(padded, dim=self.axes).mul_(self.filter)

    def add_taps(self, spectrum: Tensor, grad_taps: Tensor) -> None:
        """Adds the gradient of :meth:`kernel_spectrum` to the gradient of the taps."""
        padded = torch.fft.irfftn(spectrum.mul_(self.filter), s=self.lengths, dim=self.axes)
        padded = padded.roll(self.reach, self.axes)
        grad = padded[(slice(None), *(slice(2 * r + 1) for r in self.reach))] * self.fade
        grad_taps[(slice(None), *self.window)] += grad


def _chunks(total: int, size: int) -> Iterator[slice]:
    size = max(1, size)
    return (slice(start, min(start + size, total)) for start in range(0, total, size))
