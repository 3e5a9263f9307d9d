import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ccnn_geo.neighbors import Neighbors, build_neighbors
from ccnn_geo.neighbors.measure import cell_measure, density_measure, lattice_measure, uniform_measure
from ccnn_geo.nn.conv.measures import QuadratureMeasure
from ccnn_geo.nn.conv.plan import PointPlan


def ramp(num, generator):
    """Samples of [0, 1] with density (1 + 2 x) / 2, one in each slot of equal probability."""
    u = (torch.arange(num) + torch.rand(num, generator=generator, dtype=torch.float64)) / num
    return ((1 + 8 * u).sqrt() - 1) / 2


def inner(coordinate):
    # Points at the rim see one side only.
    return (coordinate > 0.1) & (coordinate < 0.9)


def check_inverse(weight, density, tolerance=0.05):
    """Weight times density is constant: on average over quarters of the points, by density."""
    order = density.argsort()
    quarters = torch.stack([part.mean() for part in (weight * density)[order].chunk(4)])
    assert float((quarters / quarters.mean() - 1).abs().max()) < tolerance
    assert float((weight * density).std() / (weight * density).mean()) < 0.3


@pytest.mark.parametrize("num_neighbors", [None, 16, 128])
def test_weights_on_a_line_are_inverse_to_its_density(num_neighbors):
    x = ramp(4000, torch.Generator().manual_seed(0))
    neighbors = None if num_neighbors is None else build_neighbors(x[:, None], None, num_neighbors)
    weight = density_measure(x[:, None], neighbors=neighbors)
    check_inverse(weight[inner(x)], (1 + 2 * x)[inner(x)])


@pytest.mark.parametrize(("num_neighbors", "embedded"), [(None, False), (None, True), (128, True)])
def test_weights_on_a_plane_are_inverse_to_its_density(num_neighbors, embedded):
    generator = torch.Generator().manual_seed(1)
    pos = torch.stack((ramp(6000, generator), torch.rand(6000, generator=generator, dtype=torch.float64)), 1)
    inside = inner(pos).all(dim=1)
    density = 1 + 2 * pos[:, 0]
    if embedded:  # a tilted plane in space
        frame = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64)).Q
        pos = pos @ frame[:2]
    neighbors = None if num_neighbors is None else build_neighbors(pos, None, num_neighbors)
    weight = density_measure(pos, neighbors=neighbors, intrinsic_dim=2)
    check_inverse(weight[inside], density[inside], tolerance=0.07)


def test_weighted_sum_is_the_integral_whatever_the_sampling():
    # On a closed curve there is no rim: mean of w f is the mean of f over arc length.
    num = 2000
    angle = 2 * math.pi * ramp(num, torch.Generator().manual_seed(2))
    pos = torch.stack((angle.cos(), angle.sin()), dim=1)
    f = 1 + angle.cos() + angle.sin()
    assert abs(float(f.mean()) - 1) > 0.15
    assert abs(float((density_measure(pos, intrinsic_dim=1) * f).mean()) - 1) < 0.02


def test_duplicates_share_the_weight_of_their_site():
    generator = torch.Generator().manual_seed(3)
    copies = torch.randint(1, 6, (100,), generator=generator)
    pos = torch.rand(100, 3, generator=generator).repeat_interleave(copies, dim=0)
    weight = density_measure(pos, bandwidth=1e-3) * copies.repeat_interleave(copies)
    torch.testing.assert_close(weight, weight[:1].expand_as(weight))


@pytest.mark.parametrize("num", [1, 2, 5, 50])
def test_identical_points_weigh_the_same(num, device):
    ones = torch.ones(num, device=device)
    torch.testing.assert_close(density_measure(torch.full((num, 2), 0.3, device=device)), ones)


def test_an_outlier_and_a_dense_spot_stay_within_the_clamp():
    pos = torch.randn(300, 3, generator=torch.Generator().manual_seed(4))
    pos[0] = 1e4
    pos[100:] *= 1e-4
    weight = density_measure(pos, max_ratio=5.0)
    assert bool(weight.isfinite().all())
    assert float(weight.max() / weight.min()) <= 25 * (1 + 1e-5)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    dim=st.integers(1, 3),
    lattice=st.booleans(),
)
def test_each_cloud_has_mean_one_and_its_own_weights(seed, sizes, dim, lattice):
    generator = torch.Generator().manual_seed(seed)
    pos = torch.randn(sum(sizes), dim, generator=generator, dtype=torch.float64)
    pos = pos.round() if lattice else pos
    batch = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    weight = density_measure(pos, batch)
    assert bool((weight > 0).all())
    for own, w in zip(pos.split(sizes), weight.split(sizes), strict=True):
        torch.testing.assert_close(w, density_measure(own))
        if len(own):
            torch.testing.assert_close(w.mean(), torch.ones((), dtype=torch.float64))


def test_order_of_edges_and_self_edges_do_not_matter():
    generator = torch.Generator().manual_seed(5)
    pos = torch.randn(120, 3, generator=generator, dtype=torch.float64)
    expected = density_measure(pos, neighbors=build_neighbors(pos, None, 40), bandwidth=0.8)
    edges = build_neighbors(pos, None, 40).edge_index
    shuffled = Neighbors.from_edge_index(
        edges[:, torch.randperm(edges.size(1), generator=generator)], 120, 120
    )
    torch.testing.assert_close(density_measure(pos, neighbors=shuffled, bandwidth=0.8), expected)
    without = build_neighbors(pos, None, 39, loop=False)
    torch.testing.assert_close(density_measure(pos, neighbors=without, bandwidth=0.8), expected)
    torch.testing.assert_close(
        density_measure(pos, neighbors=shuffled),
        density_measure(pos, neighbors=build_neighbors(pos, None, 40)),
    )


def test_weights_do_not_depend_on_unit_or_origin():
    pos = torch.randn(200, 3, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    torch.testing.assert_close(density_measure(1000 * pos + 7), density_measure(pos))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_measures_have_the_type_of_the_positions_and_no_gradient(dtype):
    pos = torch.randn(20, 3).to(dtype).requires_grad_()
    for measure in (uniform_measure, density_measure):
        weight = measure(pos, torch.zeros(20, dtype=torch.int64))
        assert weight.dtype == dtype
        assert weight.shape == (20,)
        assert not weight.requires_grad
    assert torch.equal(uniform_measure(pos), torch.ones(20, dtype=dtype))


def test_cells_hold_the_denser_points_that_are_nearest():
    generator = torch.Generator().manual_seed(0)
    pos, dense = (torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in (50, 1000))
    batch, dense_batch = (
        torch.arange(50) // 20,
        torch.arange(1000) // 300,
    )  # the last cloud has denser points only
    apart = torch.where(batch == dense_batch[:, None], torch.cdist(dense, pos), torch.inf)
    nearest = apart[dense_batch < 3].argmin(dim=1)
    for cloud, (points, samples) in enumerate([(20, 300), (20, 300), (10, 300)]):
        expected = torch.stack([(nearest == i).sum() for i in (batch == cloud).nonzero()[:, 0]])
        found = cell_measure(pos, dense, batch, dense_batch)[batch == cloud]
        torch.testing.assert_close(found, expected.double() * points / samples)
    assert torch.equal(cell_measure(pos[:0], dense), torch.ones(0, dtype=torch.float64))
    assert torch.equal(cell_measure(pos.float(), dense[:0].float()), torch.zeros(50))


def test_weights_of_cells_make_a_sum_an_integral():
    """Over a line, with points that lie ten times as close at one end: the middle rule of its cells."""
    u = torch.arange(1, 41, dtype=torch.float64) / 40
    pos, dense = (u**3)[:, None], torch.linspace(0, 1, 100_001, dtype=torch.float64)[:, None]
    weight = cell_measure(pos, dense) / 40
    assert abs((weight * pos[:, 0].cos()).sum() - torch.tensor(1.0).sin()) < 2e-3
    assert abs(pos[:, 0].cos().mean() - torch.tensor(1.0).sin()) > 0.03


def test_no_points_and_no_edges():
    assert density_measure(torch.zeros(0, 3)).shape == (0,)
    alone = Neighbors.from_edge_index(torch.zeros(2, 0, dtype=torch.int64), 3, 3)
    assert density_measure(torch.randn(3, 2), neighbors=alone).tolist() == [1, 1, 1]


def test_lattice_measure_is_the_ratio_of_cells():
    assert lattice_measure(0.5, 1.0, 3) == 0.125
    assert lattice_measure((0.5, 2.0), (1.0, 0.5), 2) == 2.0
    assert lattice_measure(0.1, 0.1, 1) == 1.0
    # The Riemann sum it stands for: halving the spacing leaves it unchanged.
    coarse, fine = torch.arange(-8, 8.1, 0.5), torch.arange(-8, 8.1, 0.25)
    sums = [(-(x**2)).exp().sum() for x in (coarse, fine)]
    torch.testing.assert_close(sums[1] * lattice_measure(0.25, 0.5, 1), sums[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1.0, 2), "spacing must be positive and finite"),
        ((1.0, (1.0, math.inf), 2), "reference_spacing must be positive and finite"),
        (((1.0, 1.0), 1.0, 3), "one entry per axis, 3, got 2"),
        ((1.0, 1.0, 0), "dim must be an int of at least 1, got 0"),
    ],
)
def test_lattice_errors_say_what_was_given(arguments, message):
    with pytest.raises(ValueError, match=message):
        lattice_measure(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bandwidth": 0.0}, "bandwidth must be positive and finite, got 0"),
        ({"max_ratio": 0.5}, r"max_ratio must be at least 1, got 0\.5"),
        ({"intrinsic_dim": 4}, r"intrinsic_dim must lie in \[1, 3\], got 4"),
        ({"batch": torch.tensor([1, 0, 0, 0])}, "batch must be sorted"),
        (
            {"neighbors": build_neighbors(torch.zeros(5, 3))},
            "the 4 points of pos, got 5 sources and 5 targets",
        ),
    ],
)
def test_density_errors_say_what_was_given(arguments, message):
    with pytest.raises(ValueError, match=message):
        density_measure(torch.rand(4, 3), **arguments)


def test_weights_on_a_device_are_those_of_the_cpu(device):
    pos, batch = torch.rand(60, 3), torch.tensor([0] * 25 + [1] * 2 + [2] * 33)
    pos[3] = pos[2]
    neighbors = build_neighbors(pos, batch, 6)
    quadrature = QuadratureMeasure()
    expected = {
        "density": density_measure(pos, batch),
        "few neighbours": density_measure(pos, batch, neighbors),
        "cells": cell_measure(pos[::3], pos, batch[::3], batch),
        "quadrature": quadrature(PointPlan(pos, batch)),
    }
    there, clouds, again = pos.to(device), batch.to(device), QuadratureMeasure().to(device)
    found = {
        "density": density_measure(there, clouds),
        "few neighbours": density_measure(there, clouds, neighbors.to(device)),
        "cells": cell_measure(there[::3], there, clouds[::3], clouds),
        "quadrature": again(PointPlan(there, clouds)),
    }
    for name, value in expected.items():
        assert found[name].device.type == device.type
        torch.testing.assert_close(found[name].cpu(), value, rtol=1e-5, atol=1e-6, msg=name)
    assert again.density.item() == pytest.approx(quadrature.density.item(), rel=1e-5)
