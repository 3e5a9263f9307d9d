"""Linear layers and nonlinearities under autocast on the CPU: few sizes reach oneDNN, all have the same values."""

import pytest
import torch
from torch import nn

from ccnn_geo._base.native.sizes import FirstSizes
from ccnn_geo.functional.pointwise.grid_linear import grid_linear
from ccnn_geo.functional.pointwise.linear import point_linear
from ccnn_geo.kernels.math import gelu as nonlinearity
from ccnn_geo.kernels.math import low_precision
from ccnn_geo.kernels.math.gelu import gelu

LOW = (torch.bfloat16, torch.float16)


@pytest.fixture(params=["all", "none"])
def by_onednn(request, monkeypatch):
    """All products by oneDNN, or none."""
    monkeypatch.setattr(low_precision, "MIN_WORK", 0)
    monkeypatch.setattr(low_precision, "FIRST", FirstSizes(1000 if request.param == "all" else 0))
    monkeypatch.setattr(nonlinearity, "MIN_SIZE", 0)
    monkeypatch.setattr(nonlinearity, "FIRST", FirstSizes(1000 if request.param == "all" else 0))
    return request.param == "all"


@pytest.mark.parametrize("native", ["1", "0"])
@pytest.mark.parametrize("low", LOW)
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("grid", [False, True])
def test_products_of_rounded_factors(by_onednn, native, low, inside, grid, monkeypatch):
    """Sums are float32's; outputs and gradients are rounded once, also if autocast is on in the backward pass."""
    monkeypatch.setenv("CCNN_GEO_NATIVE", native)
    unit = torch.finfo(low).eps
    leaves = [
        torch.randn(s, requires_grad=True) for s in (((2, 40, 70) if grid else (70, 40)), (30, 40), (30,))
    ]
    x, weight, bias = rounded = [t.detach().to(low).double().requires_grad_() for t in leaves]
    exact = torch.einsum("oc,bcl->bol", weight, x) + bias.view(-1, 1) if grid else x @ weight.mT + bias
    cotangent = torch.randn(exact.shape).to(low)
    with torch.autocast("cpu", dtype=low):
        out = (grid_linear if grid else point_linear)(*leaves)
        found = torch.autograd.grad(out, leaves, cotangent) if inside else None
    found = found or torch.autograd.grad(out, leaves, cotangent)
    assert out.dtype == low
    assert (out - exact).abs().max() <= unit * exact.abs().max()
    for a, e in zip(found, torch.autograd.grad(exact, rounded, cotangent.double()), strict=True):
        assert a.dtype == torch.float32
        assert (a - e).norm() <= unit * e.norm()


def test_second_derivatives(monkeypatch):
    monkeypatch.setattr(low_precision, "FIRST", FirstSizes(0))
    for function, shape in ((point_linear, (7, 4)), (grid_linear, (2, 4, 7))):
        leaves = [torch.randn(s).bfloat16().float().requires_grad_() for s in (shape, (3, 4), (3,))]
        seconds = []
        for low in (True, False):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
                out = function(*leaves)
                grads = torch.autograd.grad(out.float().pow(2).sum(), leaves, create_graph=True)
                seconds.append(torch.autograd.grad(sum(g.float().pow(2).sum() for g in grads), leaves))
        for a, e in zip(*seconds, strict=True):
            assert (a - e).norm() <= 0.03 * e.norm()


def test_activations_are_kept_in_low_precision(monkeypatch):
    monkeypatch.setattr(low_precision, "FIRST", FirstSizes(0))
    kept = []
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = point_linear(torch.randn(50, 4, requires_grad=True), torch.randn(3, 4), torch.randn(3))
        node = out.grad_fn
        while not hasattr(node, "saved_tensors"):
            node = node.next_functions[0][0]
        kept = [t for t in node.saved_tensors if t.shape == (50, 4)]
    assert len(kept) == 1 and torch.equal(kept[0], kept[0].bfloat16().float())


def test_the_first_large_sizes_are_onednns(monkeypatch):
    monkeypatch.setattr(low_precision, "FIRST", FirstSizes(2))
    weight = torch.randn(64, 64)
    sizes = [torch.randn(n, 64) for n in (1, 512, 600, 700, 600, 800)]
    asked = [not low_precision.outgrows_onednn(x.bfloat16(), weight.bfloat16()) for x in sizes]
    assert asked == [False, True, True, False, True, False]
    assert not low_precision.outgrows_onednn(torch.randn(900, 64), weight)  # in float32


@pytest.mark.parametrize("dtype", [*LOW, torch.float32])
@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 8), (40, 500)])
def test_gelu(by_onednn, dtype, shape):
    x = torch.randn(shape, dtype=dtype, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, with_residual = gelu(x), gelu(x, torch.ones(shape, dtype=dtype))
    unit = torch.finfo(dtype).eps
    exact = nn.functional.gelu(x.double())
    assert out.dtype == dtype and out.is_contiguous()
    assert torch.allclose(out.double(), exact, rtol=unit, atol=4 * unit)
    assert torch.allclose(with_residual.double(), exact + 1, rtol=unit, atol=4 * unit)
    pair = [torch.autograd.grad(y.sum(), x)[0].double() for y in (out, exact)]
    assert torch.allclose(*pair, rtol=unit, atol=4 * unit)
