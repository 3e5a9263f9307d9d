"""Occupancy grids: which cells are at the surface, where they lie, and that meshes and grids meet in one frame."""

import itertools

import numpy as np
import pytest
import torch

from ccnn_geo.io import ShapeError, read_shape
from ccnn_geo.transforms import ShapePipeline


def surface(grid):
    """Cells with an empty neighbour, one by one."""
    found = []
    for cell in map(tuple, np.argwhere(grid)):
        beside = [tuple(np.add(cell, step)) for step in (*np.eye(3, dtype=int), *-np.eye(3, dtype=int))]
        inside = all(all(0 <= c < s for c, s in zip(b, grid.shape, strict=True)) and grid[b] for b in beside)
        if not inside:
            found.append(cell)
    return found


@pytest.fixture
def ball():
    axes = [np.arange(-7, 8), np.arange(-5, 6), np.arange(-6, 7)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return x**2 + 2 * y**2 + z**2 < 40


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_surface_cells(tmp_path, ball, dtype):
    np.save(tmp_path / "a.npy", ball.astype(dtype) * (255 if dtype is np.uint8 else 1))
    shape = read_shape(tmp_path / "a.npy")
    assert shape.vertices.tolist() == [list(map(float, c)) for c in surface(ball)]
    assert len(shape.solid) == ball.sum() and shape.cell.tolist() == [1, 1, 1]


def test_archives_with_spacing_and_a_channel(tmp_path, ball):
    np.savez(tmp_path / "a.npz", voxels=ball[None], spacing=np.array([0.5, 1.0, 2.0]))
    shape = read_shape(tmp_path / "a.npz")
    np.testing.assert_array_equal(shape.vertices, np.array(surface(ball)) * [0.5, 1, 2])
    np.savez(tmp_path / "b.npz", ball)
    assert len(read_shape(tmp_path / "b.npz").vertices) == len(shape.vertices)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (
            np.zeros((4, 4, 4)),
            r"a grid \[4, 4, 4\] of float64 with the values 0, expected occupied and empty cells",
        ),
        (
            np.arange(8.0).reshape(2, 2, 2),
            r"with the values 0, 1, 2, \.\.\., expected occupied and empty cells",
        ),
        (np.full((2, 2, 2), np.nan), "with the values nan, expected"),
        (-np.eye(3)[None].repeat(3, 0), "with the values -1, -0, expected"),
        (np.zeros((0, 3, 3)), "with the values none, expected"),
        (np.ones((2, 3, 3, 3)), r"array \[2, 3, 3, 3\] of float64, expected .* or a grid"),
    ],
)
def test_arrays_that_are_no_grids(tmp_path, grid, message):
    np.save(tmp_path / "a.npy", grid)
    with pytest.raises(ShapeError, match=message):
        read_shape(tmp_path / "a.npy")


def box_mesh(size):
    corners = np.array(list(itertools.product(*([0.0, s] for s in size))))
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))]
    return torch.from_numpy(corners), torch.tensor(faces).T


def test_a_mesh_and_its_grid_have_the_same_cells():
    """A block of 12 x 6 x 8 cells, and triangles a little inside of it: the same lattice, whatever the unit."""
    from torch_geometric.data import Data

    pipeline = ShapePipeline(
        num_points=20_000,
        num_samples=20_000,
        features=("constant", "pos"),
        carrier="voxels",
        voxel_size=12,
        frame="box",
    )
    grid = np.zeros((16, 16, 16), dtype=bool)
    grid[2:14, 5:11, 3:11] = True
    cells = pipeline(pipeline.read(grid))
    pos, face = box_mesh([1.2, 0.58, 0.78])
    mesh = pipeline(pipeline.read(Data(pos=pos, face=face)))
    assert len(cells.pos) == len(surface(grid))
    sides = {tuple(p) for p in cells.pos.double().mul(6).round(decimals=3).tolist()}
    found = {tuple(p) for p in mesh.pos.double().mul(6).round(decimals=3).tolist()}
    assert len(found & sides) > 0.98 * len(sides)
    assert len(found - sides) == 0
    grid[:, :, 11] = grid[:, :, 10]  # an odd number of cells along one axis
    assert len(pipeline(pipeline.read(grid)).pos) == len(surface(grid))


def test_a_dense_grid_has_the_cells_in_their_places():
    pipeline = ShapePipeline(
        num_points=64, num_samples=4096, features=("constant",), carrier="grid", voxel_size=8, frame="box"
    )
    grid = np.random.default_rng(0).random((8, 8, 8)) < 0.3
    grid[0, 0, 0] = grid[-1, -1, -1] = True  # the box is the whole grid
    dense = pipeline(pipeline.read(grid))
    expected = np.zeros((8, 8, 8))
    expected[tuple(np.array(surface(grid)).T)] = 1
    np.testing.assert_array_equal(dense[0].numpy(), expected)
    solid = ShapePipeline(
        num_samples=4096, features=("constant",), carrier="grid", voxel_size=8, frame="box", cells="occupied"
    )
    np.testing.assert_array_equal(solid(solid.read(grid))[0].numpy(), grid)


def test_settings_out_of_range():
    with pytest.raises(ValueError, match=r"data\.frame: expected one of sphere, box, got 'cube'"):
        ShapePipeline(frame="cube")
    with pytest.raises(ValueError, match=r"data\.cells: expected one of surface, occupied, got 'all'"):
        ShapePipeline(cells="all")
