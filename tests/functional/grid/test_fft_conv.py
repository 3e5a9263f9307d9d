"""Convolution by FFT, compiled and not: against torch's direct convolution in double precision."""

from bisect import bisect_left

import pytest
import torch
from scipy.signal import fftconvolve

from ccnn_geo import testing
from ccnn_geo._base.native import build
from ccnn_geo.functional.grid import fft as module
from ccnn_geo.functional.grid.conv import grid_conv
from ccnn_geo.functional.grid.fft import fast_length, fft_conv, kernel_spectrum, plan_fft
from ccnn_geo.functional.grid.fft_compiled import smooth_length
from tests.pairwise import pairwise

HAVE = build.native_function("fft_conv") is not None


@pytest.fixture(
    params=[
        "torch",
        pytest.param("compiled", marks=pytest.mark.skipif(not HAVE, reason=build.native_status("fft_conv"))),
    ],
)
def engine(request, monkeypatch):
    monkeypatch.setenv("CCNN_GEO_NATIVE", "1" if request.param == "compiled" else "0")
    return request.param


@pytest.fixture
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def compare(batch, channels, size, taps, center, tol=2e-6, rendered=False):
    """Taps lie in memory channel by channel, or as kernels are rendered, all channels of a tap together."""
    x, kernel = torch.randn(batch, channels, *size), torch.randn(channels, *taps)
    if rendered:
        kernel = kernel.movedim(0, -1).contiguous().movedim(-1, 0)
    cotangent = torch.randn_like(x)
    results = []
    for method, dtype in (("fft", torch.float32), ("direct", torch.float64)):
        leaves = [t.to(dtype).clone().requires_grad_() for t in (x, kernel)]
        out = grid_conv(*leaves, center, method)
        results.append([out, *torch.autograd.grad(out, leaves, cotangent.to(dtype))])
    for actual, expected in zip(*results, strict=True):
        assert actual.dtype == torch.float32 and actual.shape == expected.shape
        error = ((actual - expected).norm() / expected.norm()).item()
        assert error <= tol, error


@pytest.mark.parametrize(
    *pairwise(
        {
            "size, taps, center": [
                ((1,), (1,), (0,)),
                ((50,), (50,), (0,)),
                ((33,), (9,), (4,)),
                ((7,), (40,), (3,)),
                ((12, 13), (5, 7), (2, 3)),
                ((4, 33), (7, 65), (3, 32)),
                ((5, 6, 7), (3, 5, 3), (1, 2, 1)),
            ],
            "channels": [1, 15, 16, 17, 40],
            "batch": [1, 2, 5],
            "threads": [1, 2, 5],
            "rendered": [False, True],
        }
    ),
    indirect=["threads"],
)
def test_matches_the_direct_sum(batch, channels, size, taps, center, rendered, engine, threads):
    compare(batch, channels, size, taps, center, rendered=rendered)


@pytest.mark.parametrize("size", [(1 << 20,), (1024, 1024), (64, 64, 64)])
@pytest.mark.parametrize("whole", [False, True])
def test_the_largest_grids(size, whole):
    """Against scipy's in double precision: values, and by them gradients, which are convolutions too."""
    taps = [s if whole else 2 * (s // 30) + 1 for s in size]
    center = [k // 2 for k in taps]
    x, kernel = torch.randn(1, 1, *size, requires_grad=True), torch.randn(1, *taps, requires_grad=True)
    out = grid_conv(x, kernel, center)
    box = tuple(slice(m, m + s) for m, s in zip(center, size, strict=True))
    expected = torch.from_numpy(fftconvolve(x[0, 0].detach().double(), kernel[0].detach().double())[box])
    assert (out[0, 0] - expected).norm() <= 1e-6 * expected.norm()
    cotangent = torch.randn(size)
    for grad, leaf in zip(
        torch.autograd.grad((out[0, 0] * cotangent).sum(), (x, kernel)), (x, kernel), strict=True
    ):
        # linear in each: the gradient times it gives the same sum
        found, exact = (grad.double() * leaf.double()).sum(), (expected * cotangent).sum()
        allowed = 1e-5 * expected.norm() * cotangent.norm() / x.numel() ** 0.5
        assert (found - exact).abs() <= allowed


def test_gradients_lie_as_the_taps_do(engine):
    for kernel in (torch.randn(9, 5, 20).movedim(-1, 0), torch.randn(20, 9, 5)):
        kernel.requires_grad_()
        (grad,) = torch.autograd.grad(
            grid_conv(torch.randn(2, 20, 30, 40), kernel, (4, 2), "fft").sum(), kernel
        )
        if engine == "compiled":
            assert grad.stride() == kernel.stride()


@pytest.mark.parametrize("n", [243, 250, 256, 500, 512, 625, 729, 960, 1000, 1024, 2187, 3125, 8192, 12_800])
def test_every_factor_and_depth_of_the_transform(n, engine):
    taps = n // 3 if n < 1000 else 64  # the plain sum of long ones takes seconds
    compare(2, 3, (n - taps,), (taps + 1,), (0,))


def test_one_thread_or_many_are_bitwise_equal(engine):
    x, kernel = torch.randn(7, 50, 40), torch.randn(50, 40)
    before, results = torch.get_num_threads(), []
    for threads in (1, 2, 2):
        torch.set_num_threads(threads)
        leaves = [x.clone().requires_grad_(), kernel.clone().requires_grad_()]
        out = grid_conv(*leaves, (0,), "fft")
        results.append([out, *torch.autograd.grad(out.sum(), leaves)])
    torch.set_num_threads(before)
    for first, second in zip(results[1], results[2], strict=True):
        assert torch.equal(first, second)
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("constant", [0, 1])
def test_parts_of_gradients_and_constant_spectra(constant, engine):
    leaves = [torch.randn(3, 20, 30), torch.randn(20, 11)]
    leaves[1 - constant].requires_grad_()
    plan = plan_fft(leaves[1], (30,), (5,))
    assert plan.native == (engine == "compiled")
    spectrum = kernel_spectrum(leaves[1], plan) if constant == 1 else None
    cotangent = torch.randn(3, 20, 30)
    (grad,) = torch.autograd.grad(fft_conv(*leaves, plan, spectrum), leaves[1 - constant], cotangent)
    direct = grid_conv(*leaves, (5,), "direct")
    (expected,) = torch.autograd.grad(direct, leaves[1 - constant], cotangent)
    torch.testing.assert_close(grad, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fft_conv(*leaves, plan, spectrum), direct, rtol=1e-4, atol=1e-4)


def test_chunks_of_channels_change_nothing(monkeypatch, device):
    monkeypatch.setenv("CCNN_GEO_NATIVE", "0")
    for chunk in (1, 200, 1 << 30):
        monkeypatch.setattr(module, "CHUNK_FLOATS", {"cpu": chunk, "cuda": chunk})
        x = torch.randn(2, 7, 6, 5, dtype=torch.float64, device=device)
        kernel = torch.randn(7, 3, 5, dtype=torch.float64, device=device)
        testing.assert_same_function(
            lambda x, k: grid_conv(x, k, (1, 2), "fft"),
            lambda x, k: grid_conv(x, k, (1, 2), "direct"),
            (x, kernel),
        )


def test_gradients_and_second_ones_match_finite_differences():
    x = torch.randn(2, 2, 5, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)

    def run(x, k):
        return grid_conv(x, k, (1,), "fft")

    assert torch.autograd.gradcheck(run, (x, kernel))
    assert torch.autograd.gradgradcheck(run, (x, kernel))


def test_compiled_second_derivatives_are_those_of_the_formula(engine):
    x, kernel = torch.randn(2, 5, 12), torch.randn(5, 7)

    def second(dtype, method):
        leaves = [t.to(dtype, copy=True).requires_grad_() for t in (x, kernel)]
        out = grid_conv(*leaves, (3,), method)
        grads = torch.autograd.grad(out.square().sum(), leaves, create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in grads), leaves)

    for a, e in zip(second(torch.float32, "fft"), second(torch.float64, "direct"), strict=True):
        assert (a - e).norm() <= 1e-5 * e.norm()


def test_nothing_of_an_empty_batch(engine):
    x, kernel = torch.zeros(0, 3, 8, requires_grad=True), torch.randn(3, 5, requires_grad=True)
    out = grid_conv(x, kernel, (2,), "fft")
    assert out.shape == (0, 3, 8)
    grads = torch.autograd.grad(out.sum(), (x, kernel))
    assert grads[0].shape == x.shape and torch.equal(grads[1], torch.zeros_like(kernel))


def test_grids_and_channels_do_not_touch_each_other(engine):
    x, kernel = torch.randn(4, 3, 10), torch.randn(3, 5)
    expected = grid_conv(x, kernel, (2,), "fft")
    x[1, 2, 3] = torch.nan
    out = grid_conv(x, kernel, (2,), "fft")
    broken = torch.zeros(4, 3, dtype=torch.bool)
    broken[1, 2] = True
    assert out[broken].isnan().any() and torch.equal(out[~broken], expected[~broken])


def test_strided_and_mixed_types(engine):
    x, kernel = torch.randn(2, 12, 6).mT, torch.randn(12, 6).mT[:, ::2]
    torch.testing.assert_close(
        grid_conv(x, kernel, (2,), "fft"), grid_conv(x, kernel, (2,), "direct"), rtol=1e-4, atol=1e-4
    )
    assert grid_conv(x.double(), kernel, (2,), "fft").dtype == torch.float64


def test_little_that_fits_no_cache_is_left_to_torch(monkeypatch):
    kernel = torch.randn(2, 100)
    assert not plan_fft(kernel, (1 << 18,), (50,)).native
    assert not plan_fft(kernel.double(), (64,), (50,)).native


def test_smooth_lengths_are_the_smallest():
    fives = sorted(2**a * 3**b * 5**c for a in range(13) for b in range(9) for c in range(7))
    sevens = sorted(2 * n * 7**d for n in fives for d in range(5))
    for n in range(1, 3000):
        assert smooth_length(n) == fives[bisect_left(fives, n)]
        assert fast_length(n) == sevens[bisect_left(sevens, n)]
