"""Kernels that a lattice carries, clouds, and the plain sum, for tests."""

import torch

from ccnn_geo.kernels.continuous import ContinuousKernel

CHANNELS = 3


def smooth(dim, dtype=torch.float64, device="cpu", kernel="fourier", **kwargs):
    """A kernel that a lattice can carry: few oscillations, a window without a jump."""
    args = {
        "kernel_hidden": 6,
        "kernel_layers": 2,
        "omega_0": 0.3,
        "window_init": 0.4,
        "window_threshold": 1e-4,
    }
    kernel = ContinuousKernel(dim, CHANNELS, kernel=kernel, **{**args, **kwargs})
    for layer in getattr(kernel.network, "filters", []):
        if hasattr(layer, "gamma"):
            layer.gamma.data.mul_(0.3)  # wide envelopes
    return kernel.to(device, dtype)


def cloud(n, dim, dtype=torch.float64, device="cpu"):
    pos = torch.rand(n, dim, dtype=torch.float64) * 2 - 1
    return torch.randn(n, CHANNELS, dtype=torch.float64).to(device, dtype), pos.to(device, dtype)


def plain_sum(x, pos_src, pos_dst, kernel, batch_src=None, batch_dst=None, weight=None):
    """The definition: all pairs of one cloud, O(N M)."""
    values = kernel(pos_dst.unsqueeze(1) - pos_src.unsqueeze(0))
    if batch_src is not None:
        values = values * (batch_dst.unsqueeze(1) == batch_src.unsqueeze(0)).unsqueeze(-1)
    if weight is not None:
        values = values * weight.view(1, -1, 1)
    return torch.einsum("mnc,nc->mc", values, x)


def relative(actual, expected):
    return ((actual - expected).norm() / expected.norm()).item()
