"""Launches of the Triton programs of the edge convolution: tensors in, tensors out, no wait for the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ccnn_geo.functional.edge.fused import programs
from ccnn_geo.functional.edge.fused.gradients import filter_gradients
from ccnn_geo.functional.edge.fused.pack import Packed, pack, sizes_of_parts, unpack_filters, unpack_output

BLOCK = 16
"""Edges of a target that a program works on at once: with 32 its registers overflow (sm_80 and sm_90)."""
WARPS = 4
"""Warps of a program."""
PANEL_SUMS, PANEL_CHANNELS = 4608, 160
"""Sums in registers (padded width of the basis times channels), and channels, that a program has at most."""
PROGRAMS = 4
"""Programs per multiprocessor that share the targets when gradients of parameters are summed."""


class Panels(NamedTuple):
    """``number`` panels of ``wide + narrow`` channels, both powers of two or 0."""

    wide: int
    narrow: int
    number: int


def sums(x: Tensor, tensors: Sequence[Tensor], edge_index: Tensor, ptr: Tensor, box: Tensor) -> Tensor:
    """Sums over the neighbours in a box of offsets, as :func:`~ccnn_geo.functional.edge.compiled_call.sums`."""
    pos_src, pos_dst, *kernel = tensors
    call = _Call(edge_index[0], ptr, box, pack(pos_src, pos_dst, kernel))
    return call.sums(x, (pos_dst, pos_src), (call.given.turns_dst, call.given.turns_src), 1)


def gradients(
    grad_out: Tensor,
    x: Tensor,
    tensors: Sequence[Tensor],
    edge_index: Tensor,
    ptr: Tensor,
    box: Tensor,
    needed: Sequence[bool],
) -> list[Tensor]:
    """Gradients of ``x`` and of the tensors, those that are needed."""
    need_x, need_src, need_dst, need_output, *need = needed
    pos_src, pos_dst, *kernel = tensors
    given = pack(pos_src, pos_dst, kernel)
    call = _Call(edge_index[0], ptr, box, given)
    grad_out, points = grad_out.contiguous(), (pos_dst, pos_src)
    found: list[Tensor | None] = [None] * len(needed)
    by_source = _by_source(edge_index, x.size(0)) if need_x or need_src else None
    if need_x and by_source is not None:
        back = _Call(by_source.targets, by_source.ptr, box, given)
        found[0] = back.sums(grad_out, (pos_src, pos_dst), (given.turns_src, given.turns_dst), -1)
    if need_src or need_dst or any(need):
        total, rel = call.filters(grad_out, x, points, need_src or need_dst)
        if need_src and by_source is not None:
            rows = rel.index_select(0, by_source.edge)
            found[1] = -torch.segment_reduce(rows, "sum", offsets=by_source.ptr, axis=0, unsafe=True)
        if need_dst:
            found[2] = torch.segment_reduce(rel, "sum", offsets=ptr, axis=0, unsafe=True)
        found[4:] = unpack_filters(total, kernel, given)
    if need_output:
        found[3] = unpack_output(call.output(grad_out, x, points), kernel, given)
    return [_own(g, t) for g, t, n in zip(found, (x, *tensors), needed, strict=True) if n and g is not None]


def panels(channels: int, padded: int) -> Panels:
    """Panels of channels, so that few of them are idle.

    Example:
        >>> panels(140, 32), panels(512, 64)
        (Panels(wide=128, narrow=16, number=1), Panels(wide=64, narrow=0, number=8))
    """
    most = min(PANEL_CHANNELS, PANEL_SUMS // padded)
    whole = max(16, 1 << (channels - 1).bit_length())
    half, narrow = whole // 2, max(16, 1 << (channels - whole // 2 - 1).bit_length())
    if half >= 16 and half + narrow < whole and half + narrow <= most:
        return Panels(half, narrow, 1)
    if whole <= most:
        return Panels(whole, 0, 1)
    wide = 1 << (most.bit_length() - 1)
    return Panels(wide, 0, -(-channels // wide))


class _BySource(NamedTuple):
    """Edges grouped by source: their targets, pointers of the sources, and numbers of the edges."""

    targets: Tensor
    ptr: Tensor
    edge: Tensor


def _by_source(edge_index: Tensor, num_src: int) -> _BySource:
    source, edge = edge_index[0].to(torch.int32).sort(stable=True)
    ptr = torch.searchsorted(source, torch.arange(num_src + 1, device=source.device, dtype=torch.int32))
    return _BySource(edge_index[1].index_select(0, edge), ptr, edge)


class _Call(NamedTuple):
    """Lists of neighbours, the support, and a kernel."""

    lists: Tensor
    ptr: Tensor
    box: Tensor
    given: Packed

    def sums(
        self, x: Tensor, positions: tuple[Tensor, Tensor], turns: tuple[Tensor, Tensor], sign: int
    ) -> Tensor:
        """Sums over the lists ``[M, C]``; positions and turns are those of the sums, then those of the lists."""
        num, channels, given = positions[0].size(0), x.size(1), self.given
        out = x.new_empty(num, channels)
        if out.numel() == 0:
            return out
        of, rows = panels(channels, given.padded), _vectors(x)
        programs.sum_over_neighbors[(num, of.number)](
            out,
            rows,
            *self._points(positions, turns),
            given.window,
            given.output,
            given.output_bias,
            channels,
            rows.size(1),
            SIGN=sign,
            **self._constants(of),
        )
        return out

    def output(self, grad_out: Tensor, x: Tensor, positions: tuple[Tensor, Tensor]) -> Tensor:
        """Gradient of the output layer, ``[H + 1, C]``."""
        num, channels, given = grad_out.size(0), x.size(1), self.given
        if grad_out.numel() == 0:
            return x.new_zeros(given.padded + 1, channels)
        of, rows, count = panels(channels, given.padded), _vectors(x), min(_programs(x.device), num)
        parts = x.new_empty(count, given.padded + 1, channels)
        programs.output_gradient[(count, of.number)](
            parts,
            grad_out,
            rows,
            *self._points(positions, (given.turns_dst, given.turns_src)),
            given.window,
            num,
            channels,
            rows.size(1),
            **self._constants(of),
        )
        return parts.sum(0)

    def filters(
        self, grad_out: Tensor, x: Tensor, positions: tuple[Tensor, Tensor], moves: bool
    ) -> tuple[Tensor, Tensor]:
        """Gradients of what is before the output layer, packed, and with ``moves`` of the offsets ``[E, D]``."""
        num, channels, given = grad_out.size(0), x.size(1), self.given
        size = sum(sizes_of_parts(given))
        rel = x.new_zeros(self.lists.size(0) if moves else 1, positions[0].size(1))
        if grad_out.numel() == 0:
            return x.new_zeros(size), rel
        of, rows, count = panels(channels, given.padded), _vectors(x), min(_programs(x.device), num)
        parts = x.new_empty(count, size)
        filter_gradients[(count,)](
            parts,
            rel,
            grad_out,
            rows,
            *self._points(positions, (given.turns_dst, given.turns_src)),
            given.window,
            given.waves,
            given.output,
            given.output_bias,
            num,
            channels,
            rows.size(1),
            OFFSETS=moves,
            PANELS=of.number,
            **self._constants(of),
        )
        return parts.sum(0), rel

    def _points(self, positions: tuple[Tensor, Tensor], turns: tuple[Tensor, Tensor]) -> list[Tensor]:
        given = self.given
        lists = (self.lists, self.ptr, self.box.float())
        return [
            *(t.contiguous() for t in (*positions, *turns, *lists)),
            given.filters,
            given.hidden,
            given.bias,
        ]

    def _constants(self, of: Panels) -> Mapping[str, Any]:
        return {
            "L": self.given.layers,
            "D": self.given.window.size(0),
            "H": self.given.padded,
            "BLOCK": BLOCK,
            "WIDE": of.wide,
            "NARROW": of.narrow,
            "PRECISION": "tf32" if torch.backends.cuda.matmul.allow_tf32 else "ieee",
            "num_warps": WARPS,
        }


def _vectors(x: Tensor) -> Tensor:
    """``x [N, C]`` with rows of a multiple of 16 numbers."""
    return torch.nn.functional.pad(x, (0, -x.size(1) % 16)).contiguous()


def _programs(device: torch.device) -> int:
    if device.type != "cuda":  # Triton's interpreter
        return PROGRAMS
    return PROGRAMS * torch.cuda.get_device_properties(device).multi_processor_count


def _own(grad: Tensor, t: Tensor) -> Tensor:
    """A gradient in memory of its own, as an operator promises."""
    return grad.to(t.dtype, copy=True, memory_format=torch.contiguous_format)
