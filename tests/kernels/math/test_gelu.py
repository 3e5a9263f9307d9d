"""The GELU of large tensors against torch's in double precision, with and without a residual."""

import pytest
import torch
from torch.nn import functional as F

from ccnn_geo import testing
from ccnn_geo._base.native import build
from ccnn_geo.kernels.math import gelu as module
from ccnn_geo.kernels.math.gelu import MIN_SIZE, gelu
from tests.other_processors import run_on_other_processors

HAVE = build.native_function("gelu") is not None
needs_native = pytest.mark.skipif(not HAVE, reason=build.native_status("gelu"))


def formula(x, residual=None):
    return F.gelu(x) if residual is None else residual + F.gelu(x)


def compare(*shape, residual=True):
    tensors = [3 * torch.randn(shape) for _ in range(1 + residual)]
    for t in tensors:
        t.requires_grad_()
    cotangent = torch.randn(shape)
    out = gelu(*tensors)
    doubles = [t.detach().double().requires_grad_() for t in tensors]
    expected = formula(*doubles)
    torch.testing.assert_close(out.double(), expected, rtol=3e-7, atol=1e-6)
    grads = torch.autograd.grad(out, tensors, cotangent)
    for a, e in zip(grads, torch.autograd.grad(expected, doubles, cotangent.double()), strict=True):
        torch.testing.assert_close(a.double(), e, rtol=3e-7, atol=3e-6)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(
    "shape", [(MIN_SIZE,), (MIN_SIZE + 1,), (3, 7, 1001), (2, 5, 60, 61), (MIN_SIZE + 31,)]
)
def test_matches_double_precision(shape, residual):
    compare(*shape, residual=residual)


@needs_native
def test_compiled_code_runs_and_only_where_it_can(monkeypatch):
    calls = []
    original = module.native_gelu
    monkeypatch.setattr(module, "native_gelu", lambda *a, **k: calls.append(1) or original(*a, **k))
    x = torch.randn(MIN_SIZE)
    gelu(x)
    assert len(calls) == 1
    for other in (x[1:], x.double(), x.bfloat16()):
        gelu(other)
    assert gelu(x[:-1], torch.zeros(1)).shape == x[:-1].shape
    assert len(calls) == 1
    monkeypatch.setenv("CCNN_GEO_NATIVE", "0")
    testing.assert_close(gelu(x), F.gelu(x), 1e-6)


def test_far_from_zero_and_not_a_number():
    x = torch.tensor([0.0, -0.0, 1e-20, -3.0, -9.0, -40.0, -1e30, 40.0, 1e30, float("nan"), float("inf")])
    many = x.repeat(MIN_SIZE)
    expected = F.gelu(x.double())
    expected[x == torch.inf] = torch.inf  # torch says it is not a number, as the product 0 x inf
    torch.testing.assert_close(gelu(many)[: len(x)], expected.float(), rtol=1e-6, atol=1e-6, equal_nan=True)
    many.requires_grad_()
    (grad,) = torch.autograd.grad(gelu(many).sum(), many)
    finite = x.isfinite() & (x.abs() < 1e10)
    x = x[finite].requires_grad_()
    (expected,) = torch.autograd.grad(F.gelu(x).sum(), x)
    torch.testing.assert_close(grad[: len(finite)][finite], expected, rtol=1e-6, atol=1e-6)


def test_views_and_expanded_gradients():
    x = torch.randn(200, 300).mT
    testing.assert_same_function(gelu, formula, (x, torch.randn(300, 200)))
    x.requires_grad_()
    (grad,) = torch.autograd.grad(gelu(x).mean(), x)
    (expected,) = torch.autograd.grad(F.gelu(x).mean(), x)
    torch.testing.assert_close(grad, expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("constant", [0, 1])
def test_parts_of_gradients(constant):
    tensors = [torch.randn(MIN_SIZE), torch.randn(MIN_SIZE)]
    tensors[1 - constant].requires_grad_()
    (grad,) = torch.autograd.grad(gelu(*tensors).square().sum(), tensors[1 - constant])
    (expected,) = torch.autograd.grad(formula(*tensors).square().sum(), tensors[1 - constant])
    torch.testing.assert_close(grad, expected, rtol=1e-5, atol=1e-5)


def test_second_derivatives():
    def second(function, x):
        (grad,) = torch.autograd.grad(function(x, x).square().sum(), x, create_graph=True)
        return torch.autograd.grad(grad.square().sum(), x)[0]

    x = torch.randn(MIN_SIZE, requires_grad=True)
    expected = second(formula, x.detach().double().requires_grad_())
    torch.testing.assert_close(second(gelu, x).double(), expected, rtol=1e-4, atol=1e-4)


def test_threads_do_not_matter():
    before, results = torch.get_num_threads(), []
    x = torch.randn(5 * MIN_SIZE + 3)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(gelu(x))
    torch.set_num_threads(before)
    assert torch.equal(*results)


@needs_native
def test_narrower_vectors_give_the_same(tmp_path):
    from tests.functional.pointwise import test_grid_linear

    def check():
        compare(3, 7, 1001)
        test_grid_linear.compare(2, 17, 33, 300)

    run_on_other_processors(check, ["gelu", "grid_linear"], tmp_path)
