"""Direct convolutions of grids of many sizes: those of the library, of which it sees few sizes."""

import pytest
import torch

from ccnn_geo._base.native.sizes import FirstSizes
from ccnn_geo.functional.grid import direct as module
from ccnn_geo.functional.grid.direct import DIRECT_CONVS, FIRST, MOST_TAPS, direct_conv
from tests.pairwise import pairwise


@pytest.fixture
def asked(monkeypatch):
    """Sizes of batches for which the library is asked; none is known before."""
    sizes = []

    def counted(dim):
        def conv(x, *args, **kwargs):
            sizes.append((x.size(0), *x.shape[2:]))
            return DIRECT_CONVS[dim](x, *args, **kwargs)

        return conv

    monkeypatch.setattr(module, "FIRST", FirstSizes(FIRST.most))
    monkeypatch.setattr(module, "FIRST_LARGE", FirstSizes(1))
    monkeypatch.setattr(module, "DIRECT_CONVS", {dim: counted(dim) for dim in (1, 2, 3)})
    return sizes


@pytest.mark.parametrize(*pairwise({"dim": [1, 2, 3], "groups": [1, 4], "padding": [0, 2]}))
def test_grids_of_many_sizes_are_those_of_the_library(asked, monkeypatch, dim, groups, padding):
    weight = torch.randn(4, 4 // groups, *[5] * dim, requires_grad=True)
    monkeypatch.setattr(
        module, "FIRST", FirstSizes(3)
    )  # for each size the library takes its time to get ready
    for n in range(9, 9 + 3 + 6):
        size = [n, 11, 9][:dim]
        x = torch.randn(3, 4, *size, requires_grad=True)
        out = direct_conv(x, weight, [padding] * dim, groups)
        exact = DIRECT_CONVS[dim](x, weight, padding=padding, groups=groups)
        weights = torch.randn_like(exact)
        assert out.shape == exact.shape and torch.allclose(out, exact, atol=1e-5)
        for a, b in zip(*(torch.autograd.grad(y, (x, weight), weights) for y in (out, exact)), strict=True):
            assert (a - b).norm() <= 1e-5 * b.norm()


def test_the_library_sees_few_sizes(asked):
    weight = torch.randn(3, 1, 5)
    for n in range(100, 1100):
        direct_conv(torch.randn(1, 3, n), weight, [2], 3)
    assert len(asked) == 1000 and len(set(asked)) <= FIRST.most + 16  # and four an octave
    for n in (100, 1024):  # known, and on the ladder: as they are
        direct_conv(torch.randn(1, 3, n), weight, [2], 3)
        assert asked[-1] == (1, n)


def test_few_images_voxels_and_batches(asked):
    """Two sides an octave, numbers of grids a power of two."""
    for n in range(FIRST.most):
        direct_conv(torch.randn(1, 1, 200 + n), torch.randn(1, 1, 1), [0], 1)
    asked.clear()
    for n in range(8, 33):
        for dim in (2, 3):
            x = torch.randn(n % 8 + 1, 2, n, *[8] * (dim - 1))
            direct_conv(x, torch.randn(2, 1, *[3] * dim), [1] * dim, 2)
    assert {side for _, side, *_ in asked} == {8, 12, 16, 24, 32}
    assert {batch for batch, *_ in asked} == {1, 2, 4, 8}


@pytest.mark.parametrize("padding", [(0, 0, 0), (4, 2, 3)])
def test_large_kernels_on_voxels_are_sums_of_slabs(asked, padding):
    """Of which each has few taps; one size is convolved as it is."""
    weight = torch.randn(2, 1, 9, 8, 9, requires_grad=True)
    assert weight[0].numel() > MOST_TAPS
    for n, calls in ((10, 1), (11, 2), (10, 1)):
        x = torch.randn(2, 2, n, 9, 12, requires_grad=True)
        asked.clear()
        out = direct_conv(x, weight, padding, 2)
        assert len(asked) == calls
        exact = torch.nn.functional.conv3d(x.double(), weight.double(), padding=padding, groups=2)
        weights = torch.randn_like(out)
        torch.testing.assert_close(out.double(), exact, rtol=1e-5, atol=1e-4)
        found = torch.autograd.grad(out, (x, weight), weights)
        for a, b in zip(found, torch.autograd.grad(exact, (x, weight), weights.double()), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_double_precision_keeps_its_sizes(asked):
    weight = torch.randn(3, 1, 5, dtype=torch.float64)
    for n in range(100, 140):
        direct_conv(torch.randn(1, 3, n, dtype=torch.float64), weight, [2], 3)
    assert asked == [(1, n) for n in range(100, 140)]
