"""Half of a cloud thinned: how many stay, where, and of what else there is one row per point."""

import pytest
import torch
from torch_geometric.data import Data

from ccnn_geo.transforms import ThinHalf


def ball(num, dim=3):
    pos = torch.randn(num, dim, generator=torch.Generator().manual_seed(1))
    return Data(pos=pos, x=pos.clone(), row=torch.arange(num), y=torch.tensor([3]))


@pytest.mark.parametrize(
    ("num", "factor", "left"), [(256, 8, 144), (257, 8, 145), (9, 2, 7), (5, 1, 5), (1, 8, 1)]
)
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_one_half_keeps_one_point_in_so_many(num, factor, left, dim):
    data = ball(num, dim)
    found = ThinHalf(factor, torch.Generator().manual_seed(0))(data.clone())
    assert found.num_nodes == left and found.y.tolist() == [3]
    assert torch.equal(found.pos, data.pos[found.row]) and torch.equal(found.x, found.pos)
    assert bool((found.row.diff() > 0).all())


def test_the_halves_lie_on_the_two_sides_of_a_plane_that_is_drawn_anew():
    data, generator = ball(1000), torch.Generator().manual_seed(0)
    directions = []
    for _ in range(200):
        found = ThinHalf(8, generator)(data.clone())
        gone = torch.ones(1000, dtype=torch.bool)
        gone[found.row] = False
        # least squares finds the plane: hardly any point that went is among the nearer half
        design = torch.cat([data.pos, torch.ones(1000, 1)], dim=1)
        u = torch.linalg.lstsq(design, gone.float()[:, None]).solution[:3, 0]
        far = data.pos @ u > (data.pos @ u).median()
        assert far[gone].float().mean() > 0.97 and gone[far].float().mean() > 0.84
        directions.append(u / u.norm())
    assert torch.stack(directions).mean(dim=0).norm() < 0.2  # no side is preferred


def test_the_generator_decides():
    first, second, other = (ThinHalf(4, torch.Generator().manual_seed(s))(ball(100)).row for s in (0, 0, 1))
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_duplicates_are_halved_too():
    data = Data(pos=torch.zeros(64, 3), row=torch.arange(64))
    assert ThinHalf(8)(data).num_nodes == 36


def test_wrong_arguments_are_named():
    for factor in (0.5, float("nan")):
        with pytest.raises(ValueError, match="expected factor >= 1, got"):
            ThinHalf(factor)
    assert repr(ThinHalf()) == "ThinHalf(8)"
