"""Every operator keeps what it promises, by torch's own checks, and is in programs what its formula is."""

import pytest
import torch
from torch.utils._pytree import tree_map

from ccnn_geo import SepFlexConv
from ccnn_geo._base.native.build import native_function, native_status
from ccnn_geo.functional.edge.basis import closed_form_basis
from ccnn_geo.functional.lattice.offsets import LatticeOffsets
from ccnn_geo.functional.representations import grid_positions
from ccnn_geo.kernels.math.gelu import MIN_SIZE
from ccnn_geo.neighbors import build_neighbors

OPS = torch.ops.ccnn_geo


def normal(*shape, dtype=torch.float32):
    return torch.randn(shape, dtype=dtype)


def linear(*shape):
    return normal(*shape), normal(6, 5), normal(6)


def edges():
    """Arguments of ``edge_magnet`` for a layer on the neighbours of twelve points."""
    pos, conv = torch.rand(12, 3), SepFlexConv(4, 4, 3, kernel_hidden=8, kernel_layers=1, window_init=0.5)
    neighbors = build_neighbors(pos, None, 3)
    box = torch.stack([-conv.kernel.support(), conv.kernel.support()])
    kernel = [t.detach() for t in (conv.kernel.output_weight(), *closed_form_basis(conv.kernel).tensors)]
    return normal(12, 4), [pos, pos.clone(), *kernel], neighbors.edge_index, neighbors.ptr, box


def lattice():
    pos = grid_positions((4, 5))
    found = LatticeOffsets.build(pos, pos, build_neighbors(pos, None, 6), (0.5, 0.5))
    runs = (getattr(found.runs, name) for name in ("offset", "begin", "end", "src", "dst"))
    return normal(20, 3), normal(found.num_offsets, 3), *runs


def grid(kernel=(6, 3, 5), how=((1, 2), (9, 10))):
    return normal(2, 6, 8, 7), normal(*kernel), *how


def filters(dim=2, hidden=4):
    quadratic = torch.cat([-normal(dim, 3 * hidden).square(), normal(dim + 1, 3 * hidden)]).double()
    affine = [normal(*s) for s in ((hidden, hidden), (hidden,)) * 2]
    return normal(dim, 9), quadratic, normal(dim + 1, 3 * hidden), affine


def magnet_backward():
    given = filters()
    out, *saved = OPS.magnet_basis_forward(*given)
    return torch.randn_like(out), *given, saved


CASES = {
    "gelu": (lambda: (normal(8, MIN_SIZE // 8), normal(8, MIN_SIZE // 8)), True),
    "gelu-small": (lambda: (normal(3, 4), None), True),
    "gelu-half": (lambda: (normal(3, 4, 5).bfloat16(), None), False),
    "gelu_forward": (lambda: (normal(8, MIN_SIZE // 8), None), False),
    "gelu_backward": (lambda: (normal(8, 9).mT, normal(8, 9).mT), False),
    "grid_linear": (lambda: linear(2, 5, 7), True),
    "grid_linear_forward": (lambda: linear(2, 5, 7), False),
    "grid_linear_backward": (lambda: (normal(2, 6, 7), *linear(2, 5, 7), [True, False, True]), False),
    "point_linear": (lambda: linear(7, 5), True),
    "point_linear_forward": (lambda: linear(7, 5), False),
    "point_linear_backward": (lambda: (normal(7, 6), *linear(7, 5), [False, True, True]), False),
    "fft_conv": (lambda: (*grid(), False, None), True),
    "fft_conv-compiled": (lambda: (*grid(), True, None), True),
    "fft_conv_backward": (lambda: (normal(2, 6, 8, 7), *grid(), False, None, [True, True]), False),
    "fft_conv_backward-compiled": (lambda: (normal(2, 6, 8, 7), *grid(), True, None, [True, True]), False),
    "direct_conv": (lambda: grid((6, 1, 3, 5), ([1, 2], 6)), True),
    "direct_conv_backward": (
        lambda: (normal(2, 6, 8, 7), *grid((6, 1, 3, 5), ([1, 2], 6)), [True, True]),
        False,
    ),
    "edge_magnet": (edges, True),
    "edge_kernel": (edges, True),
    "edge_magnet_backward": (lambda: (normal(12, 4), *edges(), [True] * 9), False),
    "lattice_conv": (lambda: (*lattice(), 20), True),
    "lattice_conv_backward": (lambda: (normal(20, 3), *lattice(), 20, [True, True]), False),
    "magnet_basis": (filters, True),
    "magnet_basis_forward": (filters, False),
    "magnet_basis_backward": (lambda: (*magnet_backward(), True), False),
}
NATIVE = ("edge", "lattice", "compiled")


# opcheck copies what needs gradients and, since torch 2.14, looks for gradients of the copies
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_schema_fake_and_gradients(name):
    if any(word in name for word in NATIVE) and native_function("edge_magnet") is None:
        pytest.skip(native_status())
    make, learns = CASES[name]
    given = tree_map(
        lambda t: t.requires_grad_(learns and t.is_floating_point()) if torch.is_tensor(t) else t, make()
    )
    torch.library.opcheck(getattr(OPS, name.partition("-")[0]).default, tuple(given))
