"""The mesh path at its limits: memory budgets, its own estimate of its error, bands, and what is refused."""

import math

import pytest
import torch

from ccnn_geo import testing
from ccnn_geo.functional.mesh import geometry as mesh_geometry
from ccnn_geo.functional.mesh import stencil as mesh_stencil
from ccnn_geo.functional.mesh import sum as mesh_sum
from ccnn_geo.functional.mesh.band import kernel_band, measured_band, mesh_spacing, stated_band
from ccnn_geo.functional.mesh.conv import mesh_conv, mesh_error
from ccnn_geo.functional.mesh.geometry import MeshGeometry
from tests.functional.mesh.mesh_problems import cloud, plain_sum, relative, smooth


def test_second_derivatives_are_refused():
    x, pos = cloud(5, 2)
    out = mesh_conv(x.requires_grad_(), pos, None, smooth(2))
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(out.sum(), x, create_graph=True)


@pytest.mark.parametrize(
    "kwargs", [{"window": None}, {"window_threshold": 0.0}, {"kernel_domain": 5.0, "window": None}]
)
def test_kernels_without_an_end(kwargs):
    k = smooth(2, **kwargs)
    x, pos = cloud(60, 2)
    assert relative(mesh_conv(x, pos, None, k), plain_sum(x, pos, pos, k)) < 1e-3


def test_shared_geometry_and_small_budgets_change_nothing(monkeypatch):
    x, pos = cloud(60, 2)
    batch = torch.arange(60) % 7
    first, second = smooth(2, window_init=0.15), smooth(2, window_init=0.2)
    spacing = [min(pair) for pair in zip(mesh_spacing(first), mesh_spacing(second), strict=True)]
    geometry = MeshGeometry.build(pos, None, spacing, 6, batch)
    for k in (first, second):
        alone = mesh_conv(x, pos, None, k, batch, spacing=spacing)
        testing.assert_close(mesh_conv(x, pos, None, k, geometry=geometry), alone, 1e-12)
    inputs = [t.clone().requires_grad_() for t in (x, pos)]

    def run():
        out = mesh_conv(*inputs, None, first, batch, spacing=spacing)
        return [out, *torch.autograd.grad(out.square().sum(), [*inputs, *first.parameters()])]

    expected = run()
    for module, name, value in (
        (mesh_sum, "BOX_FLOATS", 1),
        (mesh_sum, "FFT_FLOATS", {"cpu": 1, "cuda": 1}),
        (mesh_stencil, "BLOCK_ENTRIES", {"cpu": 100, "cuda": 100}),
        (mesh_stencil, "KEPT_ENTRIES", 0),
        (mesh_geometry, "GROUP_CELLS", 1),
    ):
        monkeypatch.setattr(module, name, value)
        tol = 1e-4 if name == "GROUP_CELLS" else 1e-10  # clouds alone are padded less
        for actual, e in zip(run(), expected, strict=True):
            testing.assert_close(actual, e, tol)


def test_a_jump_is_not_refused_and_its_error_is_told():
    x, pos = cloud(200, 2)
    hard, tapered = (smooth(2, window=w, window_threshold=0.1) for w in ("gaussian", "tapered"))
    errors = [mesh_error(x, pos, None, k) for k in (hard, tapered)]
    assert errors[0] > 1e-2 > 1e-3 > errors[1]


def test_error_estimate_is_the_error():
    k = smooth(2)
    x, pos = cloud(50, 2)
    batch, weight = torch.arange(50) % 3, torch.rand(50, dtype=torch.float64)
    exact = plain_sum(x, pos, pos, k, batch, batch, weight)
    actual = relative(mesh_conv(x, pos, None, k, batch, weight=weight, order=3), exact)
    assert math.isclose(mesh_error(x, pos, None, k, batch, weight=weight, order=3), actual, rel_tol=0.05)


@pytest.mark.parametrize("dim", [1, 2])
def test_measured_band_is_the_spectrum(dim):
    """A Gaussian alone: its spectrum is Gaussian, erfc(2.751) = 1e-4 of the energy lies above 2.751 / width."""
    k = smooth(dim, window_init=0.2)
    with torch.no_grad():
        k.network.output.weight.zero_()
        k.network.output.bias.fill_(1.0)
    excess = measured_band(k) - 2.751 / 0.2
    assert ((excess >= 0) & (excess <= 1.5 * math.pi / k.support())).all()
    assert (kernel_band(k) <= stated_band(k)).all()
    assert measured_band(smooth(dim, window=None)).isinf().all()


def test_limits_are_named():
    x, pos = cloud(20, 2)
    k = smooth(2)
    band = kernel_band(k)
    with pytest.raises(
        ValueError, match=r"a spacing of 2, 2 carries .* 1.571, 1.571 rad .* expected .* at most"
    ):
        mesh_conv(x, pos, None, k, spacing=(2.0, 2.0))
    mesh_conv(x, pos, None, k, spacing=(math.pi / band).tolist())
    with pytest.raises(ValueError, match=r"MLPKernel states no highest frequency .* give a spacing"):
        mesh_conv(x, pos, None, smooth(2, kernel="mlp", window=None))
    mesh_conv(x, pos, None, smooth(2, kernel="mlp", window=None), spacing=(0.1, 0.1))
    with pytest.raises(ValueError, match=r"cells at spacing .* above the budget .* coarser spacing"):
        mesh_conv(x, pos * 1e6, None, k)
    with pytest.raises(ValueError, match="cloud 1 are not finite"):
        mesh_conv(
            x,
            torch.where(torch.arange(20).unsqueeze(1) == 10, math.nan, pos),
            None,
            k,
            torch.arange(20) // 10,
        )
    with pytest.raises(ValueError, match=r"expected x \[N, 3\], got \[20, 2\]"):
        mesh_conv(x[:, :2], pos, None, k)
    with pytest.raises(ValueError, match=r"expected x of 20 sources, got \[19, 3\]"):
        mesh_conv(x[:19], pos, None, k)
    with pytest.raises(ValueError, match=r"oversampling >= 1, got 0\.5"):
        mesh_conv(x, pos, None, k, oversampling=0.5)
    with pytest.raises(ValueError, match="order >= 2, got 1"):
        mesh_conv(x, pos, None, k, order=1)
    with pytest.raises(ValueError, match="expected 2 spacings"):
        MeshGeometry.build(pos, None, (0.1,), 4)


def test_a_kernel_too_large_to_render_is_named(monkeypatch):
    monkeypatch.setattr("ccnn_geo.functional.mesh.conv.MAX_TAP_FLOATS", 1000)
    x, pos = cloud(20, 2)
    with pytest.raises(
        ValueError, match=r"the kernel reaches \[\d+, \d+\] cells .* above the budget of 1000"
    ):
        mesh_conv(x, pos, None, smooth(2))
