"""Positions in float32, far from the origin beside their extent: ``auto`` sums over what they are after rounding."""

import copy

import pytest
import torch

from ccnn_geo import CCNN, FlexConv, SepFlexConv, testing
from ccnn_geo.functional.lattice.offsets import LatticeOffsets, detect_spacing
from ccnn_geo.neighbors import Neighbors, knn_graph
from tests.pairwise import pairwise

ORIGIN = torch.tensor([4e5, 5e6, 300.0])
"""Metres of a map's zone: rounded to 0.03, 0.5 and 3e-5."""

CLOUDS = {
    "a hundred metres": lambda d: torch.rand(60, d) * 100 + ORIGIN[:d],
    "the width of their rounding": lambda d: torch.rand(60, d) * 2 + ORIGIN[:d],
    "below their rounding": lambda d: torch.rand(60, d) * 1e-3 + ORIGIN[:d],
    "degrees": lambda d: torch.rand(60, d) * 9e-4 + torch.tensor([100.0, 50.0, 1.0])[:d],
    "one axis only": lambda d: torch.rand(60, d) * 1e-3 + torch.tensor([1e4, 0.0, 0.0])[:d],
    "twice each": lambda d: (torch.rand(30, d) * 1e-3 + 1e4).repeat(2, 1),
    "all alike": lambda d: ORIGIN[:d].repeat(60, 1),
    "rounded voxels": lambda d: torch.randint(0, 6, (60, d)) * 0.3 + ORIGIN[:d],
    "fine voxels": lambda d: torch.randint(0, 6, (60, d)) * 1e-3 + 300.0,
    "exact voxels": lambda d: torch.randint(0, 6, (60, d)) * 8.0 + ORIGIN[:d],
}


def compare(model, x, pos, *edges):
    """With the definition in double precision, of the rounded positions."""
    for name, values in model.named_parameters():
        if name.endswith("phi"):  # at zero a kernel begins at zero, and points at one place would say nothing
            torch.nn.init.normal_(values)
    model(x, pos, *edges)
    model.eval()
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm1d):  # features of points at one place have no variance
            norm.reset_running_stats()
    exact = copy.deepcopy(model).double()
    for module in exact.modules():
        if hasattr(module, "method"):
            module.method = "plain"
    with torch.no_grad():
        found, expected = model(x, pos, *edges), exact(x.double(), pos.double(), *edges)
    assert expected.abs().max() > 1e-3
    testing.assert_close(found.double(), expected, 1e-4)


@pytest.mark.parametrize(
    *pairwise({"clouds": CLOUDS, "dim": [1, 2, 3], "layer": [SepFlexConv, FlexConv], "native": "10"})
)
def test_layers_sum_over_given_edges(clouds, dim, layer, native, monkeypatch):
    monkeypatch.setenv("CCNN_GEO_NATIVE", native)
    pos = CLOUDS[clouds](dim)
    extent = max((pos.amax(dim=0) - pos.amin(dim=0)).max().item(), 1e-3)
    conv = layer(2, 3, dim, kernel_hidden=8, kernel_radius=extent, omega_0=0.5, window_init=0.5)
    compare(conv, torch.randn(60, 2), pos, knn_graph(pos, 5))


@pytest.mark.parametrize(*pairwise({"clouds": CLOUDS, "dim": [1, 2, 3], "num_neighbors": [5, None]}))
def test_networks_search_neighbours(clouds, dim, num_neighbors):
    pos = CLOUDS[clouds](dim)
    extent = max((pos.amax(dim=0) - pos.amin(dim=0)).max().item(), 1e-3)
    model = CCNN(
        2,
        3,
        dim,
        hidden_channels=4,
        num_blocks=1,
        kernel_hidden=8,
        kernel_radius=extent,
        omega_0=0.5,
        window_init=0.5,
        num_neighbors=num_neighbors,
    )
    compare(model, torch.randn(60, 2), pos, None)


def test_gaps_of_rounding_tell_no_spacing():
    assert detect_spacing(torch.tensor([[5e5], [5e5 + 0.25], [5e5 + 0.5]])) is None
    assert detect_spacing(torch.rand(50, 2) * 9e-4 + torch.tensor([100.0, 50.0])) is None
    assert detect_spacing(torch.tensor([[5e5, 0.0], [5e5 + 0.25, 1.0]])) is None


def test_true_lattices_stay():
    """That float32 holds, a plane as thin as rounding, and all of them in float64."""
    steps = torch.randint(0, 9, (200, 2))
    assert detect_spacing(steps * 8.0 + ORIGIN[:2]) == (8.0, 8.0)
    assert detect_spacing(steps.double() * 0.05 + ORIGIN[:2].double()) == (0.05, 0.05)
    plane = torch.cat([steps * 0.5, 0.3 + 3e-8 * torch.randint(0, 2, (200, 1))], dim=1)
    assert detect_spacing(plane) == (0.5, 0.5, 1.0)


def test_what_is_detected_can_be_built():
    """Few points at any place, extent and spacing: no error of a lattice that nobody asked for."""
    g = torch.Generator().manual_seed(0)
    for _ in range(400):
        place, extent = 10 ** (torch.rand(2, generator=g) * 9 - torch.tensor([2.0, 5.0]))
        n, steps = (int(torch.randint(1, 60, (), generator=g)) for _ in range(2))
        for unit in (torch.rand(n, 1, generator=g), torch.randint(0, steps, (n, 1), generator=g) / steps):
            pos = unit * extent + place
            if (spacing := detect_spacing(pos)) is not None:
                edges = Neighbors.from_edge_index(torch.zeros(2, 1, dtype=torch.long), n, n)
                LatticeOffsets.build(pos, pos, edges, spacing)
