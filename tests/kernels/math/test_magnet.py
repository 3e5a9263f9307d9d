"""MAGNet's basis: both ways to sum the exponent, and the backward pass, against autograd of the formula."""

import pytest
import torch

from ccnn_geo import testing
from ccnn_geo.kernels.math import gabor as gabor_filters
from ccnn_geo.kernels.math.gabor import Gabor, pack, project
from ccnn_geo.kernels.math.magnet import Affine, magnet_basis


def parameters(dim, hidden, layers, width, far, dtype=torch.float64):
    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64).to(dtype)

    filters = [
        Gabor(far * draw(hidden, dim), width * (1 + draw(hidden, dim).abs()), draw(hidden, dim), draw(hidden))
        for _ in range(layers + 1)
    ]
    return filters, [Affine(draw(hidden, hidden), draw(hidden)) for _ in range(layers)]


def formula(rel, filters, hidden):
    def g(layer):
        square = (layer.gamma * (rel.unsqueeze(-2) - layer.mu)).square().sum(-1)
        return torch.exp(-0.5 * square) * torch.sin(rel @ layer.omega.mT + layer.phi)

    h = g(filters[0])
    for layer, affine in zip(filters[1:], hidden, strict=True):
        h = g(layer) * (h @ affine.weight.mT + affine.bias)
    return h


def compare(rel, filters, hidden, tol=None):
    flat = [t for layer in (*filters, *hidden) for t in layer]
    n = 4 * len(filters)

    def with_tensors(function):
        def run(rel, *tensors):
            layers = [Gabor(*tensors[i : i + 4]) for i in range(0, n, 4)]
            return function(rel, layers, [Affine(*tensors[i : i + 2]) for i in range(n, len(tensors), 2)])

        return run

    testing.assert_same_function(with_tensors(magnet_basis), with_tensors(formula), (rel, *flat), tol=tol)


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("layers", [0, 1, 3])
@pytest.mark.parametrize("exact", [False, True])
def test_values_and_gradients_match_the_formula(dim, layers, exact, monkeypatch):
    if exact:
        monkeypatch.setattr(gabor_filters, "EXPANSION_ERROR", 0.0)
    compare(torch.randn(4, 5, dim).double(), *parameters(dim, 6, layers, width=1.0, far=0.5))


@pytest.mark.parametrize(("width", "far"), [(1.0, 0.3), (30.0, 1.0), (300.0, 1.0)])
def test_narrow_far_filters_keep_float32_precision(width, far):
    """Where the expanded square would cancel in float32, a sum by axes takes over."""
    filters, hidden = parameters(2, 16, 0, width, far, torch.float32)
    rel = (filters[0].mu.repeat(20, 1) + torch.randn(320, 2) / width).float()
    exact = formula(rel.double(), [Gabor(*(t.double() for t in f)) for f in filters], hidden)
    error = (magnet_basis(rel, filters, hidden).double() - exact).norm() / exact.norm()
    assert error < 1e-4


def test_float32_is_used_where_it_is_safe():
    """The published filters at their initialisation are, however far the offsets reach."""
    for width, far, expected in ((5.0, 0.1, torch.float32), (100.0, 1.0, torch.float64)):
        packed = pack(parameters(3, 8, 2, width=width, far=far, dtype=torch.float32)[0])
        assert gabor_filters.narrowed(packed.quadratic, torch.float32).dtype == expected


def test_empty_input():
    filters, hidden = parameters(2, 4, 1, 1.0, 0.5)
    assert magnet_basis(torch.zeros(0, 2, dtype=torch.float64), filters, hidden).shape == (0, 4)
    assert magnet_basis(torch.zeros(3, 0, 2, dtype=torch.float64), filters, hidden).shape == (3, 0, 4)


def test_projection_is_a_linear_layer(device):
    rel, weight, bias = (torch.randn(s, device=device) for s in ((7, 3), (5, 3), (5,)))
    testing.assert_close(project(rel, weight, bias), rel @ weight.mT + bias, 1e-5)
    testing.assert_close(project(rel, weight), rel @ weight.mT, 1e-5)
