"""Native code that is turned off between a forward pass and its backward pass is an error that says so."""

import pytest
import torch

from ccnn_geo import SepFlexConv
from ccnn_geo._base.native import build
from ccnn_geo.functional.representations import grid_positions
from ccnn_geo.neighbors import knn_graph


def on_edges(conv, x, pos):
    return conv(x, pos, knn_graph(pos, 9))


def grid(*size):
    return torch.randn(*size, requires_grad=True)


CASES = {
    "edge_magnet": lambda conv: on_edges(conv, grid(64, 16), torch.rand(64, 2)),
    "lattice_conv": lambda conv: on_edges(conv, grid(64, 16), grid_positions((8, 8))),
    "fft_conv": lambda conv: conv(grid(2, 16, 64, 64)),
}


@pytest.mark.parametrize("name", CASES)
def test_turned_off_before_the_backward_pass(name, monkeypatch):
    if build.native_function(name) is None:
        pytest.skip(build.native_status())
    method = {"lattice_conv": "lattice", "fft_conv": "fft"}.get(name, "auto")
    conv = SepFlexConv(16, 16, 2, kernel_hidden=8, omega_0=1.0, window_init=0.5, method=method)
    out = CASES[name](conv)
    monkeypatch.setenv("CCNN_GEO_NATIVE", "0")
    with pytest.raises(RuntimeError, match="turned off between a forward pass and its backward pass"):
        out.sum().backward()
