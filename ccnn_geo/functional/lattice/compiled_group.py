"""Groups edges on a lattice by their offset, in C."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from ccnn_geo._base.native.build import addresses, arguments, native_function, threads_for
from ccnn_geo.functional.graph import Neighbors

MAX_CELLS = 1 << 24
"""Largest box of offsets for a table with one number per cell."""
GroupArguments = arguments(
    ("num_dst", "cells", "block", "threads"),
    (
        "src",
        "ptr",
        "line_src",
        "line_dst",
        "out_src",
        "out_dst",
        "run_offset",
        "run_begin",
        "offset_cell",
        "sizes",
    ),
)


def native_group(
    neighbors: Neighbors, line_src: Tensor, line_dst: Tensor, cells: int, block: int
) -> tuple[Tensor, ...] | None:
    """Distinct differences and the fields of :class:`~ccnn_geo.functional.lattice.runs.OffsetSegments`.

    Returns ``None`` if this code does not apply.

    Shapes:
        - **line_src:** :math:`(N)`, **line_dst:** :math:`(M)`, differences along edges in ``[0, cells)``
    """
    function = native_function("lattice_group")
    if function is None or line_src.device.type != "cpu" or cells > MAX_CELLS:
        return None
    num_edges = neighbors.num_edges
    blocks = -(-neighbors.num_dst // block)
    room = min(num_edges, blocks * cells)
    out_src, out_dst = torch.empty(2, num_edges, dtype=torch.int32)
    run_offset, run_begin = torch.empty(room, dtype=torch.int32), torch.empty(room + 1, dtype=torch.int64)
    cell, sizes = torch.empty(min(num_edges, cells), dtype=torch.int32), torch.empty(2, dtype=torch.int64)
    given = {
        "src": neighbors.edge_index[0].contiguous(),
        "ptr": neighbors.ptr.contiguous(),
        "line_src": line_src.int(),
        "line_dst": line_dst.int(),
    }
    results = {
        "out_src": out_src,
        "out_dst": out_dst,
        "run_offset": run_offset,
        "run_begin": run_begin,
        "offset_cell": cell,
        "sizes": sizes,
    }
    counts = (neighbors.num_dst, cells, block, threads_for(num_edges))
    args = GroupArguments(*counts, **addresses(**given, **results))
    if function(ctypes.byref(args)) != 0:
        raise MemoryError(f"lattice: not enough memory for a number per cell of a box of {cells} offsets")
    num_runs, num_offsets = sizes.tolist()
    run_begin[num_runs] = num_edges
    run_begin = run_begin[: num_runs + 1].clone()  # not a view of the larger buffer
    offset = run_offset[:num_runs].clone()
    return cell[:num_offsets].long(), offset, run_begin[:-1], run_begin[1:], out_src, out_dst
