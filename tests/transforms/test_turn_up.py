"""Right angles that bring one axis to another: turns, and no mirror images."""

from itertools import product

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from ccnn_geo.io import read_shape
from ccnn_geo.transforms import TurnUp


@pytest.mark.parametrize(("source", "target"), list(product("xyz", "xyz")))
def test_one_axis_becomes_the_other(source, target):
    turn = TurnUp(source, target)
    matrix = turn.turned(torch.eye(3)).T
    a, b = "xyz".index(source), "xyz".index(target)
    assert torch.equal(matrix[:, a], torch.eye(3)[b]) and torch.linalg.det(matrix) == 1
    assert torch.equal(matrix @ matrix.T, torch.eye(3))
    pos, normal = torch.randn(5, 3), torch.randn(5, 3)
    found = turn(Data(pos=pos, normal=normal, face=torch.zeros(3, 1, dtype=torch.int64)))
    torch.testing.assert_close(found.pos, pos @ matrix.T)
    torch.testing.assert_close(found.normal, normal @ matrix.T)
    back = TurnUp(target, source)(found)
    torch.testing.assert_close(back.pos, pos)


def test_cells_of_a_grid_go_along(tmp_path):
    grid = np.zeros((5, 6, 8), dtype=bool)
    grid[1:4, 1:5, 1:7] = grid[1, 1, 0] = True
    turned = np.flip(grid.transpose(0, 2, 1), axis=2)  # (x, y, z) -> (x, z, -y)
    np.savez(tmp_path / "z.npz", voxels=grid, spacing=0.5)
    np.savez(tmp_path / "y.npz", voxels=turned, spacing=0.5)
    expected, given = read_shape(tmp_path / "y.npz").to_data(), read_shape(tmp_path / "z.npz").to_data()
    found = TurnUp("z", "y")(given)
    for key in ("pos", "solid"):
        middle = [one[key] - one[key].mean(dim=0) for one in (found, expected)]
        rows = [sorted(tuple(row) for row in np.round(one.numpy(), 6).tolist()) for one in middle]
        np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)
    assert torch.equal(found.cell, expected.cell)


def test_what_is_no_axis():
    with pytest.raises(ValueError, match="expected axes of x, y and z, got 'up'"):
        TurnUp("z", "up")
    with pytest.raises(ValueError, match=r"expected pos \[N, 3\], got \[4, 2\]"):
        TurnUp("z", "y")(Data(pos=torch.zeros(4, 2)))
