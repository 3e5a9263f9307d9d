"""Clouds, sequences and images of ever new sizes: nothing is kept for each of them."""

from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ccnn_geo import CCNN
from ccnn_geo.functional.pointwise.linear import channel_linear
from ccnn_geo.kernels import KERNELS
from ccnn_geo.kernels.math.gelu import gelu

STATM = Path("/proc/self/statm")
"""What Linux says of a process's memory."""


class GivenToOneDNN(TorchDispatchMode):
    """Collects what torch computes with oneDNN, which keeps what it makes for each shape."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name, first = str(function), args[0] if args else None
        is_gelu = name.startswith("aten.gelu") and "out" not in name
        if "mkldnn" in name or (is_gelu and first.dtype == torch.float32 and first.is_contiguous()):
            self.found.add((name, tuple(first.shape)))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("native", ["1", "0"])
def test_no_call_remembers_a_size(kernel, native, monkeypatch):
    monkeypatch.setenv("CCNN_GEO_NATIVE", native)
    model = CCNN(3, 2, 2, 4, 1, kernel=kernel, kernel_hidden=8, num_neighbors=4, omega_0=0.5)
    with GivenToOneDNN() as mode:
        for n in (65, 66):
            model(torch.randn(n, 3), torch.rand(n, 2)).sum().backward()
    assert mode.found == set()


@pytest.mark.parametrize("dim", [1, 2])
def test_no_call_remembers_a_grid(dim):
    model = CCNN(3, 2, dim, 4, 1, kernel_hidden=8, method="fft")
    with GivenToOneDNN() as mode:
        for n in (19, 20):
            model(torch.randn(1, 3, *[n] * dim)).sum().backward()
    assert mode.found == set()


@pytest.mark.skipif(not STATM.exists(), reason="memory of a process is read from /proc")
@pytest.mark.parametrize("lower", [False, True])
def test_memory_does_not_grow(lower):
    """Two calls of oneDNN per size would be 10 MB and more."""

    def resident():
        return int(STATM.read_text().split()[1]) * 4096

    layer = torch.nn.Linear(16, 16)

    def step(n):
        with torch.autocast("cpu", torch.bfloat16, enabled=lower):
            gelu(channel_linear(torch.randn(n, 16, requires_grad=True), layer)).sum().backward()

    step(300)
    before = resident()
    for n in range(256, 300):
        step(n)
    assert resident() - before < 8e6


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 1), (1, 5), (4, 5), (2, 1, 6), (1, 2, 3, 4)])
def test_small_gelu_is_torchs_and_contiguous(shape):
    x = torch.randn(shape, requires_grad=True)
    y = gelu(x)
    assert y.is_contiguous()
    expected = 0.5 * x.double() * (1 + torch.erf(x.double() / 2**0.5))
    torch.testing.assert_close(y.double(), expected, rtol=1e-6, atol=1e-6)
    (grad,) = torch.autograd.grad(y.sum(), x)
    (wanted,) = torch.autograd.grad(expected.sum(), x)
    torch.testing.assert_close(grad, wanted, rtol=1e-5, atol=1e-6)
