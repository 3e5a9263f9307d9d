"""The spacing of points: the step of a lattice that is as dense."""

import math

import pytest
import torch

from ccnn_geo.functional.representations import grid_positions
from ccnn_geo.neighbors import spacing
from ccnn_geo.neighbors.spacing import estimate_spacing


def sphere(n):
    return torch.nn.functional.normalize(torch.randn(n, 3), dim=1)


@pytest.mark.parametrize(
    ("points", "expected", "tolerance"),
    [
        (lambda: torch.rand(2000, 1), 1 / 2000, 0.06),
        (lambda: torch.rand(2000, 2), 2000**-0.5, 0.06),
        (lambda: torch.rand(2000, 3), 2000 ** (-1 / 3), 0.06),
        (lambda: sphere(512), (4 * math.pi / 512) ** 0.5, 0.06),
        (lambda: sphere(4096), (4 * math.pi / 4096) ** 0.5, 0.06),
        (lambda: grid_positions((300,), 0.2), 0.2, 0.1),
        (lambda: grid_positions((30, 40), 0.2), 0.2, 0.1),
        (lambda: grid_positions((12, 12, 12), 0.2), 0.2, 0.1),
        (lambda: torch.nn.functional.pad(grid_positions((30, 30), 0.2), (0, 1)), 0.2, 0.1),
    ],
    ids=[
        "line",
        "square",
        "cube",
        "sphere",
        "dense sphere",
        "lattice1",
        "lattice2",
        "lattice3",
        "plane in 3-D",
    ],
)
def test_spacing_is_that_of_a_lattice_as_dense(points, expected, tolerance, device):
    for seed in range(3):
        torch.manual_seed(seed)
        pos = points().to(device)
        found = estimate_spacing(pos)
        assert found.shape == (1,) and found.dtype == pos.dtype
        assert found.item() == pytest.approx(expected, rel=tolerance)


def test_it_is_one_of_each_cloud_and_scales_with_it():
    torch.manual_seed(0)
    clouds = [sphere(300), 5 * sphere(100), sphere(300).repeat(3, 1)]
    batch = torch.arange(3).repeat_interleave(torch.tensor([len(c) for c in clouds]))
    found = estimate_spacing(torch.cat(clouds), batch)
    for value, cloud in zip(found, clouds, strict=True):
        assert value == estimate_spacing(cloud)
        assert estimate_spacing(7 * cloud + 3).item() == pytest.approx(7 * value.item(), rel=1e-3)
    assert found[2].item() == pytest.approx(
        estimate_spacing(clouds[2][:300]).item()
    )  # points thrice in their place


def test_outliers_and_a_known_dimension():
    torch.manual_seed(0)
    clean = sphere(512)
    outliers = torch.cat([clean, 20 * torch.randn(25, 3)])
    assert estimate_spacing(outliers).item() == pytest.approx(estimate_spacing(clean).item(), rel=0.1)
    expected = (4 * math.pi / 40) ** 0.5  # of 40 points on a sphere no distance tells that it is a surface
    assert estimate_spacing(sphere(40), intrinsic_dim=2).item() == pytest.approx(expected, rel=0.1)


def test_what_has_no_spacing():
    assert estimate_spacing(torch.rand(5, 3)).isnan().all()
    assert estimate_spacing(torch.zeros(50, 3)).isnan().all()
    mixed = estimate_spacing(
        torch.cat([torch.rand(2, 3), torch.rand(50, 3)]), torch.tensor([0] * 2 + [1] * 50)
    )
    assert mixed.isnan().tolist() == [True, False]
    with pytest.raises(ValueError, match=r"intrinsic_dim must lie in \(0, 3\], got 4"):
        estimate_spacing(torch.rand(50, 3), intrinsic_dim=4)
    with pytest.raises(ValueError, match="finite"):
        estimate_spacing(torch.full((50, 3), math.nan))


def test_some_points_of_a_large_cloud_tell_of_all(monkeypatch):
    pos = torch.nn.functional.normalize(torch.randn(9000, 3), dim=1)
    few = estimate_spacing(pos), spacing.estimate_reach(pos)
    monkeypatch.setattr(spacing, "ASKED", 10_000)
    for some, every in zip(few, (estimate_spacing(pos), spacing.estimate_reach(pos)), strict=True):
        torch.testing.assert_close(some, every, rtol=0.02, atol=0)


def test_reach_is_the_distance_of_so_many_others():
    """Counted pair by pair: the median point has that many others within it."""
    pos = torch.rand(300, 3)
    for many in (4, 32):
        reach = spacing.estimate_reach(pos, num_neighbors=many)
        inside = (torch.cdist(pos, pos) <= reach * (1 + 1e-6)).sum(dim=1) - 1
        assert inside.median() in (many - 1, many, many + 1)
    assert spacing.estimate_reach(torch.zeros(5, 3)).isnan().all()
    two = torch.tensor([[0.0, 0.0], [3.0, 1.0]])
    assert spacing.estimate_reach(two).item() == pytest.approx(10**0.5)  # there are no more
