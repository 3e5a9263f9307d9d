"""Direct convolutions of grids of many sizes: those of the library, of which it sees few sizes."""

import pytest
import torch

from ccnn_geo.functional.grid import direct as module
from ccnn_geo.functional.grid.direct import DIRECT_CONVS, MOST_SIZES, direct_conv


@pytest.fixture
def asked(monkeypatch):
    """Sizes for which the library is asked; none is known before."""
    sizes = []

    def counted(dim):
        def conv(x, *args, **kwargs):
            sizes.append(tuple(x.shape[2:]))
            return DIRECT_CONVS[dim](x, *args, **kwargs)

        return conv

    monkeypatch.setattr(module, "_SEEN", set())
    monkeypatch.setattr(module, "DIRECT_CONVS", {dim: counted(dim) for dim in (1, 2, 3)})
    return sizes


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("padding", [0, 2])
def test_grids_of_many_sizes_are_those_of_the_library(asked, dim, groups, padding):
    weight = torch.randn(4, 4 // groups, *[5] * dim, requires_grad=True)
    for n in range(9, 9 + MOST_SIZES + 6):
        size = [n, 11, 9][:dim]
        x = torch.randn(2, 4, *size, requires_grad=True)
        out = direct_conv(x, weight, [padding] * dim, groups)
        exact = DIRECT_CONVS[dim](x, weight, padding=padding, groups=groups)
        weights = torch.randn_like(exact)
        assert out.shape == exact.shape and torch.allclose(out, exact, atol=1e-5)
        for a, b in zip(*(torch.autograd.grad(y, (x, weight), weights) for y in (out, exact)), strict=True):
            assert torch.allclose(a, b, atol=1e-4)


def test_the_library_sees_few_sizes(asked):
    weight = torch.randn(3, 1, 5)
    for n in range(100, 1100):
        direct_conv(torch.randn(1, 3, n), weight, [2], 3)
    assert len(asked) == 1000 and len(set(asked)) <= MOST_SIZES + 16  # and four an octave
    for n in (100, 1024):  # known, and on the ladder: as they are
        direct_conv(torch.randn(1, 3, n), weight, [2], 3)
        assert asked[-1] == (n,)


def test_double_precision_keeps_its_sizes(asked):
    weight = torch.randn(3, 1, 5, dtype=torch.float64)
    for n in range(100, 140):
        direct_conv(torch.randn(1, 3, n, dtype=torch.float64), weight, [2], 3)
    assert asked == [(n,) for n in range(100, 140)]
