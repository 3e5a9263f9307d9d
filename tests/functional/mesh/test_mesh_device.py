"""The mesh on a device: how often a layer waits for it, what is made there, and how much is worked off at once."""

import copy

import pytest
import torch

from ccnn_geo import PointPlan, SepFlexConv
from ccnn_geo.functional.mesh import stencil as mesh_stencil
from ccnn_geo.functional.mesh import sum as mesh_sum
from ccnn_geo.functional.mesh.band import measured_band
from ccnn_geo.functional.mesh.bspline import bspline_dual
from ccnn_geo.functional.mesh.geometry import MeshGeometry
from ccnn_geo.kernels.continuous import ContinuousKernel

SMOOTH = {"kernel": "siren", "kernel_hidden": 6, "omega_0": 0.3, "window_init": 0.3, "window_threshold": 1e-4}
PER_PLAN = 11
"""Waits that layers with one plan share: checks of the clouds, their number, sizes of lattices, lists of pairs."""


def layer_and_points(device, **options):
    conv = SepFlexConv(3, 4, 3, method="mesh", **{**SMOOTH, **options})
    x, pos, batch = torch.randn(100, 3), torch.rand(100, 3) * 2 - 1, torch.arange(100) // 50
    conv(x, pos, batch=batch)
    here = copy.deepcopy(conv).to(device)
    return conv, here, (x, pos, batch), tuple(t.to(device) for t in (x, pos, batch))


def test_a_layer_asks_for_the_band_and_the_support_alone(device, record_waits):
    _, here, _, (x, pos, batch) = layer_and_points(device)
    plan = PointPlan(pos, batch)
    here(x, pos, plan)
    with record_waits() as waits:
        y = here(x, pos, plan)
    assert len(waits) <= 2
    with record_waits() as waits:
        y.sum().backward()
    assert not waits
    with record_waits() as waits:
        here(x, pos, PointPlan(pos, batch))
    assert len(waits) <= 2 + PER_PLAN
    here.eval()
    with torch.no_grad():
        here(x, pos, plan)
        with record_waits() as waits:
            here(x, pos, plan)
    assert not waits


@pytest.mark.parametrize(
    "options", [{}, {"window": "tapered", "window_threshold": 0.1}, {"kernel_domain": 0.5}], ids=str
)
def test_values_and_gradients_are_those_of_the_cpu(options, device):
    conv, here, given, (x, pos, batch) = layer_and_points(device, **options)
    found = here(x, pos, batch=batch)
    expected = conv(given[0], given[1], batch=given[2])
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-5)
    pairs = zip(here.parameters(), conv.parameters(), strict=True)
    for p, q in pairs:
        (a,) = torch.autograd.grad(found.square().sum(), p, retain_graph=True)
        (e,) = torch.autograd.grad(expected.square().sum(), q, retain_graph=True)
        torch.testing.assert_close(a.cpu(), e, rtol=1e-3, atol=1e-4 * float(e.abs().max()) + 1e-6)


@pytest.mark.parametrize("half", [True, False])
def test_filters_are_made_on_the_device(half, device, record_waits):
    with record_waits() as waits:
        found = bspline_dual(30, 6, half, device=device)
    assert not waits and found.device.type == device.type
    torch.testing.assert_close(found.cpu(), bspline_dual(30, 6, half), rtol=1e-12, atol=0)


def test_a_kernel_without_end_has_no_band(device):
    kernel = ContinuousKernel(2, 3, window=None, omega_0=1.0).to(device)  # its domain is not known yet
    assert measured_band(kernel).isinf().all()


def test_the_same_lines_are_drawn_for_every_kernel(device):
    torch.manual_seed(0)
    kernel = ContinuousKernel(2, 3, **SMOOTH).double()
    here = copy.deepcopy(kernel).to(device)
    before = torch.get_rng_state()
    bands = [measured_band(k).cpu() for k in (kernel, here, kernel)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(bands[0], bands[2])
    torch.testing.assert_close(bands[1], bands[0], rtol=1e-12, atol=0)


def test_what_is_worked_off_at_once_depends_on_the_device(device, monkeypatch):
    budgets = {"cpu": 1 << 40, "cuda": 1 << 40, device.type: 36 * 5}
    monkeypatch.setattr(mesh_stencil, "BLOCK_ENTRIES", budgets)
    monkeypatch.setattr(mesh_sum, "FFT_FLOATS", budgets)
    geometry = MeshGeometry.build(torch.rand(20, 2).to(device), None, (0.1, 0.1), 6)
    (group,) = geometry.groups
    assert len(list(group.src._blocks())) == 4
    lattice = mesh_sum._Lattice(group, torch.zeros(3, 5, 5, device=device), 6)
    cells = torch.zeros(group.num_clouds * group.size[0] * group.size[1], 3, device=device)
    assert len(list(lattice.parts(cells))) == 3


def test_clouds_of_several_sizes_and_none_are_found(device):
    pos = torch.cat([torch.rand(30, 2), torch.rand(20, 2) * 9, torch.rand(10, 2)])
    batch = torch.tensor([0] * 30 + [2] * 20 + [3] * 10)
    here = MeshGeometry.build(pos.to(device), None, (0.1, 0.1), 6, batch.to(device), batch_size=5)
    host = MeshGeometry.build(pos, None, (0.1, 0.1), 6, batch)
    assert len(here.groups) == len(host.groups) > 1
    for a, b in zip(here.groups, host.groups, strict=True):
        assert a.size == b.size and torch.equal(a.src.base.cpu(), b.src.base)
        assert set(a.src.rows.tolist()) == set(b.src.rows.tolist())
