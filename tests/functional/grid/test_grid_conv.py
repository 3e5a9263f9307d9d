"""Grid convolutions against scipy and numpy, and the choice between FFT and direct."""

import numpy as np
import pytest
import torch
from scipy import signal

from ccnn_geo import testing
from ccnn_geo._base.native.sizes import ladder
from ccnn_geo.functional.grid.conv import fft_is_cheaper, grid_conv


@pytest.mark.parametrize("method", ["fft", "direct", "auto"])
@pytest.mark.parametrize(
    ("size", "taps"),
    [((9,), (5,)), ((8,), (15,)), ((7, 6), (3, 5)), ((5, 9), (9, 17)), ((4, 5, 3), (3, 3, 5))],
)
def test_centred_convolution_matches_scipy(size, taps, method):
    x, kernel = torch.randn(2, 3, *size).double(), torch.randn(3, *taps).double()
    center = [k // 2 for k in taps]
    out = grid_conv(x, kernel, center, method)
    for b in range(2):
        for c in range(3):
            full = signal.convolve(x[b, c].numpy(), kernel[c].numpy(), mode="full", method="direct")
            window = tuple(slice(m, m + s) for m, s in zip(center, size, strict=True))
            np.testing.assert_allclose(out[b, c].numpy(), full[window], atol=1e-12)


@pytest.mark.parametrize("method", ["fft", "direct"])
@pytest.mark.parametrize("center", range(6))
def test_any_centre_matches_numpy(center, method):
    """0 is causal, 5 anticausal."""
    x, kernel = torch.randn(1, 1, 11).double(), torch.randn(1, 6).double()
    full = np.convolve(x[0, 0].numpy(), kernel[0].numpy())
    out = grid_conv(x, kernel, (center,), method)
    np.testing.assert_allclose(out[0, 0].numpy(), full[center : center + 11], atol=1e-12)


@pytest.mark.parametrize(("size", "taps"), [((10,), (7,)), ((6, 5), (5, 3)), ((4, 3, 5), (3, 3, 3))])
@pytest.mark.parametrize("dense", [False, True])
def test_fft_matches_direct_with_gradients(size, taps, dense, dtype, device):
    x = torch.randn(2, 3, *size, dtype=dtype, device=device)
    kernel = torch.randn(*((4, 3) if dense else (3,)), *taps, dtype=dtype, device=device)
    center = [k // 2 for k in taps]
    testing.assert_same_function(
        lambda x, k: grid_conv(x, k, center, "fft"),
        lambda x, k: grid_conv(x, k, center, "direct"),
        (x, kernel),
    )


def test_automatic_choice():
    assert fft_is_cheaper((1024,), (1024,))
    assert fft_is_cheaper((32, 32, 32), (15, 15, 15))
    assert not fft_is_cheaper((1024,), (5,))
    assert not fft_is_cheaper((32, 32), (3, 3))
    assert fft_is_cheaper((1024,), (11,), compiled=True)
    assert not fft_is_cheaper((1024,), (3,), compiled=True)


@pytest.mark.parametrize(
    ("x", "kernel", "message"),
    [
        ((2, 3, 8), (4, 5), r"kernel \[4, 5\] does not fit the channels of x \[2, 3, 8\]"),
        ((2, 3, 8), (5,), r"got \[2, 3, 8\] and \[5\]"),
        ((2, 3, 4, 4, 4, 4), (3, 2, 2, 2, 2), "1 to 3 axes"),
    ],
)
def test_wrong_shapes_are_named(x, kernel, message):
    with pytest.raises(ValueError, match=message):
        grid_conv(torch.randn(x), torch.randn(kernel), (0,) * (len(x) - 2))


def test_sizes_whose_linear_convolution_would_wrap():
    """The FFT is shorter than size + kernel - 1; only outputs that are cut off may be touched."""
    for size in range(1, 24):
        for reach in range(size):
            x, kernel = torch.randn(1, 1, size).double(), torch.randn(1, 2 * reach + 1).double()
            fft, direct = (grid_conv(x, kernel, (reach,), m) for m in ("fft", "direct"))
            testing.assert_close(fft, direct, 1e-12)


def test_sizes_on_the_ladder():
    sizes = sorted({ladder(n) for n in range(1000)})
    assert sizes[:13] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16]
    assert all(n <= ladder(n) <= 1.25 * n for n in range(1000))
    assert sum(512 < n <= 1024 for n in sizes) == 4
