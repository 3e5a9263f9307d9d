"""The pointwise layer on grids and points against torch's own, values, gradients and second ones."""

import pytest
import torch
from torch import nn

from ccnn_geo import testing
from ccnn_geo._base.native import build, memory
from ccnn_geo.functional.pointwise.grid_linear import grid_linear
from ccnn_geo.functional.pointwise.linear import channel_linear, point_linear
from ccnn_geo.kernels.math import linear as products
from ccnn_geo.kernels.math.gelu import MIN_SIZE, gelu
from ccnn_geo.kernels.math.linear import MIN_WORK

HAVE = build.native_function("grid_linear") is not None


@pytest.fixture(
    params=[
        pytest.param(
            "1", marks=pytest.mark.skipif(not HAVE, reason=build.native_status("grid_linear")), id="compiled"
        ),
        pytest.param("0", id="torch"),
    ]
)
def engine(request, monkeypatch):
    monkeypatch.setenv("CCNN_GEO_NATIVE", request.param)


def compare(batch, inputs, outputs, length):
    """Of :func:`grid_linear` and its gradients to the formula in double precision."""
    tensors = [
        torch.randn(s, requires_grad=True) for s in ((batch, inputs, length), (outputs, inputs), (outputs,))
    ]
    cotangent = torch.randn(batch, outputs, length)
    out = grid_linear(*tensors)
    x, weight, bias = doubles = [t.detach().double().requires_grad_() for t in tensors]
    expected = torch.einsum("oc,bcl->bol", weight, x) + bias.view(-1, 1)
    pairs = [(out, expected)]
    if out.numel():
        grads = torch.autograd.grad(out, tensors, cotangent)
        pairs += zip(grads, torch.autograd.grad(expected, doubles, cotangent.double()), strict=True)
    for a, e in pairs:
        assert a.shape == e.shape
        assert (a - e).norm() <= 1e-6 * e.norm()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("batch", "inputs", "outputs", "length"),
    [
        *((1, 1, 1, 1), (2, 3, 5, 7), (3, 16, 16, 16), (3, 17, 33, 100), (1, 9, 1, 287), (2, 1, 9, 288)),
        *(
            (2, 24, 10, 289),
            (1, 140, 140, 784),
            (5, 31, 48, 576),
            (1, 8, 40, 1500),
            (0, 3, 4, 5),
            (2, 3, 4, 0),
        ),
    ],
)
def test_matches_double_precision(batch, inputs, outputs, length, threads, engine):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        compare(batch, inputs, outputs, length)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_parts_of_gradients_and_views(wanted, engine):
    tensors = [torch.randn(40, 5, 2).permute(2, 1, 0), torch.randn(5, 6).mT, torch.randn(12)[::2]]
    tensors[wanted].requires_grad_()
    out = grid_linear(*tensors)
    cotangent = torch.randn(6, 1).expand(2, 6, 40)
    (grad,) = torch.autograd.grad(out, tensors[wanted], cotangent)
    expected = torch.einsum("oc,bcl->bol", tensors[1], tensors[0]) + tensors[2].view(-1, 1)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        grad, torch.autograd.grad(expected, tensors[wanted], cotangent)[0], rtol=1e-5, atol=1e-5
    )


def test_a_broken_place_stays_alone(engine):
    x = torch.randn(2, 5, 700)
    x[1, 2, 300] = float("nan")
    broken = grid_linear(x, torch.randn(6, 5), torch.randn(6)).isnan()
    assert broken[1, :, 300].all() and broken.sum() == 6


@pytest.fixture(params=[False, True], ids=["torch", "loop"])
def by_loop(request, monkeypatch):
    """Products by torch, or by the loop that AMD processors take."""
    if request.param and build.native_function("row_products") is None:
        pytest.skip(build.native_status("row_products"))
    monkeypatch.setattr(products, "_LOOP", request.param)
    monkeypatch.setattr(products, "MIN_WORK", 1)


@pytest.mark.parametrize("n", [0, 1, 127, 128, 773])
@pytest.mark.parametrize(("inputs", "outputs"), [(3, 5), (70, 64), (16, 140)])
def test_points_match_torch(n, inputs, outputs, dtype, by_loop):
    tensors = [torch.randn(s, dtype=dtype) for s in ((n, inputs), (outputs, inputs), (outputs,))]
    testing.assert_same_function(point_linear, nn.functional.linear, tensors)


@pytest.mark.parametrize("threads", [1, 2])
def test_products_match_float64(by_loop, threads):
    """Of steps that differ, into memory of its own or of a larger tensor, with and without a bias."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        x, weight, bias = torch.randn(300, 80)[:, 3:73], torch.randn(70, 65).mT, torch.randn(65)
        expected = x.double() @ weight.double().mT
        for b, out in ((None, None), (bias, torch.empty(300, 65)), (bias, torch.empty(300, 66)[:, :65])):
            found = products.linear(x, weight, b, out)
            assert out is None or found is out
            testing.assert_close(found.double(), expected if b is None else expected + b, tol=1e-6)
        a, b = torch.randn(70, 1000), torch.randn(1000, 65)
        for left in (a, a.mT.contiguous().mT):
            testing.assert_close(products.cross(left, b).double(), a.double() @ b.double(), tol=1e-6)
    finally:
        torch.set_num_threads(before)


def test_loop_is_for_large_products(monkeypatch):
    monkeypatch.setattr(products, "_LOOP", True)
    monkeypatch.setattr(products, "native_rows", lambda *_: pytest.fail("too few"))
    products.linear(torch.randn(MIN_WORK // 64 // 64 - 1, 64), torch.randn(64, 64))


@pytest.mark.parametrize("n", [3, 512])
def test_second_derivatives_of_points(n):
    def second(function):
        leaves = [torch.randn(s, requires_grad=True) for s in ((n, 4), (70, 4), (70,))]
        for i, leaf in enumerate(leaves):
            leaf.data = torch.randn(leaf.shape, generator=torch.Generator().manual_seed(i))
        grads = torch.autograd.grad(function(*leaves).pow(3).mean(), leaves, create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in grads), leaves)

    for a, e in zip(second(point_linear), second(nn.functional.linear), strict=True):
        torch.testing.assert_close(a, e, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("size", [(7,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("shifted", [False, True])
def test_is_a_convolution_of_one_tap(size, shifted, dtype, device):
    layer = nn.Linear(5, 6).to(device, dtype)
    shift = torch.randn(5, device=device, dtype=dtype) if shifted else None

    def by_conv(x, *params):
        conv = (nn.functional.conv1d, nn.functional.conv2d, nn.functional.conv3d)[len(size) - 1]
        x = x if shift is None else x + shift.view(-1, *[1] * len(size))
        return conv(x, layer.weight.view(6, 5, *[1] * len(size)), layer.bias)

    x = torch.randn(3, 5, *size, dtype=dtype, device=device)
    testing.assert_same_function(
        lambda x: channel_linear(x, layer, shift), by_conv, (x,), list(layer.parameters())
    )


def test_points_and_grids_agree(dtype, device):
    layer = nn.Linear(5, 6).to(device, dtype)
    x, shift = torch.randn(11, 5, dtype=dtype, device=device), torch.randn(5, dtype=dtype, device=device)
    expected = layer(x + shift)
    testing.assert_close(channel_linear(x, layer, shift), expected)
    testing.assert_close(channel_linear(x.mT.unsqueeze(0), layer, shift)[0].mT, expected)


def test_large_grids_reuse_memory():
    memory.forget()  # or other tests' might fit
    layer, x = nn.Linear(8, 256), torch.randn(2, 8, 4096)
    first = channel_linear(x, layer).data_ptr()
    assert channel_linear(x, layer).data_ptr() == first


def test_second_derivatives():
    def run(x, weight, bias):
        return grid_linear(x, weight, bias)

    single = [torch.randn(s, requires_grad=True) for s in ((2, 3, 4), (5, 3), (5,))]
    double = [t.detach().double().requires_grad_() for t in single]
    assert torch.autograd.gradcheck(run, double) and torch.autograd.gradgradcheck(run, double)

    def second(leaves):
        grads = torch.autograd.grad(run(*leaves).square().sum(), leaves, create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in grads), leaves)

    for a, e in zip(second(single), second(double), strict=True):
        torch.testing.assert_close(a.double(), e, rtol=1e-4, atol=1e-3)


def test_transforms_of_torch_func():
    """Per-sample gradients and directional derivatives, which ask for the formula."""
    weight, bias = torch.randn(6, 5), torch.randn(6)
    for function, x in (
        (lambda x, w: grid_linear(x, w, bias).square().sum(), torch.randn(3, 2, 5, 7)),
        (lambda x, w: point_linear(x, w, bias).square().sum(), torch.randn(3, 512, 5)),
        (lambda x, w: (gelu(x) * w.sum()).sum(), torch.randn(3, MIN_SIZE)),
    ):
        found = torch.func.vmap(torch.func.grad(function, argnums=1), in_dims=(0, None))(x, weight)
        leaf = weight.clone().requires_grad_()
        expected = torch.stack([torch.autograd.grad(function(part, leaf), leaf)[0] for part in x])
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)
        _, slope = torch.func.jvp(
            lambda w, f=function, x=x: f(x[0], w), (weight,), (torch.ones_like(weight),)
        )
        torch.testing.assert_close(slope, expected[0].sum(), rtol=1e-3, atol=1e-2)


def test_reduced_precision_on_request(device):
    layer, x = nn.Linear(5, 6).to(device), torch.randn(3, 5, 7, device=device)
    with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
        out = channel_linear(x, layer, torch.randn(5, device=device))
    assert out.dtype == torch.bfloat16
