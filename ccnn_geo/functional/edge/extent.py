"""How far edges reach along each axis."""

import ctypes

import torch
from torch import Tensor

from ccnn_geo._base.native.build import addresses, arguments, native_function, threads_for
from ccnn_geo.functional.edge.chunks import SPLIT
from ccnn_geo.functional.graph import Neighbors

Arguments = arguments(("num_dst", "dim", "threads"), ("src", "ptr", "pos_src", "pos_dst", "out"))


@torch.no_grad()
def edge_extent(pos_src: Tensor, pos_dst: Tensor, neighbors: Neighbors) -> Tensor:
    """Largest offset along each axis, ``[D]``, without listing offsets; NaN counts as none.

    Shapes:
        - **pos_src:** :math:`(N, D)`; **pos_dst:** :math:`(M, D)`
    """
    dim = pos_src.size(1)
    function = native_function("edge_extent")
    if function is not None and dim <= 3 and pos_src.dtype == torch.float32 and pos_src.device.type == "cpu":
        out = pos_src.new_zeros(dim)
        given = {
            "src": neighbors.edge_index[0].contiguous(),
            "ptr": neighbors.ptr.contiguous(),
            "pos_src": pos_src.contiguous(),
            "pos_dst": pos_dst.contiguous(),
        }
        sizes = (neighbors.num_dst, dim, threads_for(neighbors.num_edges))
        function(ctypes.byref(Arguments(*sizes, **addresses(**given, out=out))))
        return out
    out = pos_src.new_zeros(dim)
    for source, target in zip(*(row.split(SPLIT) for row in neighbors.edge_index), strict=True):
        rel = pos_dst.index_select(0, target).sub_(pos_src.index_select(0, source)).abs_()
        if rel.numel() > 0:
            out = torch.maximum(out, rel.nan_to_num_(0.0, torch.inf).amax(dim=0))
    return out
