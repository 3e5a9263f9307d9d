import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ccnn_geo.functional.representations import grid_positions, grid_spacing, to_grid, to_points, voxelize

SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=3)


@given(size=SIZES)
@settings(max_examples=50, deadline=None)
def test_grid_positions_against_numpy(size):
    h = 2 / (max(size) - 1) if max(size) > 1 else 1.0
    axes = [np.arange(n) * h - (n - 1) * h / 2 for n in size]
    oracle = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    pos = grid_positions(size, dtype=torch.float64)
    assert pos.numpy() == pytest.approx(oracle, abs=1e-12)
    assert grid_spacing(size) == (h,) * len(size)


def test_longest_axis_spans_minus_one_to_one():
    pos = grid_positions((5, 3))
    assert pos.dtype == torch.float32 and pos.shape == (15, 2)
    assert pos[:, 0].unique().tolist() == [-1, -0.5, 0, 0.5, 1]
    assert pos[:, 1].unique().tolist() == [-0.5, 0, 0.5]
    assert grid_positions((4,)).flatten().tolist() == pytest.approx([-1, -1 / 3, 1 / 3, 1])
    assert grid_positions((1, 1)).tolist() == [[0, 0]] and grid_spacing((1, 1)) == (1.0, 1.0)


def test_explicit_spacing():
    assert grid_positions((3, 2), spacing=(2, 1)).tolist() == [
        [x, y] for x in (-2, 0, 2) for y in (-0.5, 0.5)
    ]
    assert grid_spacing((3, 2), 0.25) == (0.25, 0.25)
    assert grid_spacing((3, 2), torch.tensor([1.0, 2.0])) == (1.0, 2.0)
    assert grid_spacing((3, 2), np.float32(0.5)) == (0.5, 0.5)


def test_long_sequences_are_even_in_float32():
    pos = grid_positions((16001,)).double().flatten()
    assert pos.sub(torch.linspace(-1, 1, 16001, dtype=torch.float64)).abs().max() < 1e-7


@pytest.mark.parametrize(
    ("size", "spacing", "words"),
    [
        ((), None, "at least one axis"),
        ((3, 0), None, "one cell"),
        ((3,), 0.0, "positive"),
        ((3,), float("nan"), "positive"),
        ((3, 3), (1.0,), "1 entries"),
    ],
)
def test_wrong_lattices(size, spacing, words):
    with pytest.raises(ValueError, match=words):
        grid_positions(size, spacing)


@given(
    size=SIZES, batch=st.integers(1, 3), channels=st.integers(1, 3), spacing=st.floats(1e-3, 1e3) | st.none()
)
@settings(max_examples=50, deadline=None)
def test_points_and_back(size, batch, channels, spacing):
    torch.manual_seed(0)
    grid = torch.randn(batch, channels, *size)
    points = to_points(grid, spacing)
    assert points.num_graphs == batch
    shuffled = torch.randperm(points.num_nodes)
    back = to_grid(
        points.x[shuffled], points.pos[shuffled], points.batch[shuffled], size=size, spacing=spacing
    )
    assert torch.equal(back, grid)


def test_to_points_puts_each_cell_at_its_position():
    grid = torch.randn(2, 3, 4, 5)
    points = to_points(grid, spacing=(1.0, 0.5))
    for x, pos, b in zip(points.x, points.pos, points.batch, strict=True):
        i, j = round(pos[0].item() + 1.5), round(pos[1].item() / 0.5 + 2)
        assert torch.equal(x, grid[b, :, i, j])
    assert torch.equal(points.get_example(1).x, grid[1].flatten(1).T)


def test_to_grid_averages_duplicates_and_leaves_empty_cells_zero():
    pos = torch.tensor([[-1.0], [-1.0], [1.0], [0.0]])
    x = torch.tensor([[2.0], [4.0], [5.0], [7.0]])
    batch = torch.tensor([0, 0, 0, 2])
    grid = to_grid(x, pos, batch, size=(3,), batch_size=4)
    assert grid.squeeze(1).tolist() == [[3, 0, 5], [0, 0, 0], [0, 7, 0], [0, 0, 0]]


def test_round_trip_passes_gradients():
    grid = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)

    def there_and_back(g):
        p = to_points(g)
        return to_grid(p.x, p.pos, p.batch, size=(3, 4))

    assert torch.autograd.gradcheck(there_and_back, (grid,))


@pytest.mark.parametrize(
    ("pos", "kwargs", "words"),
    [
        ([[0.3]], {"size": (3,)}, "0.3 spacings away"),
        ([[float("nan")]], {"size": (3,)}, "nan spacings away"),
        ([[2.0]], {"size": (3,)}, "inside the lattice"),
        ([[0.0, 0.0]], {"size": (3,)}, "has 2 coordinates"),
        ([[0.0]], {"size": (3,), "batch": torch.tensor([2]), "batch_size": 2}, "batch_size is 2"),
        ([[0.0]], {"size": (3,), "batch": torch.tensor([0, 0])}, r"batch must be \[N\]"),
    ],
)
def test_to_grid_refuses(pos, kwargs, words):
    with pytest.raises(ValueError, match=words):
        to_grid(torch.ones(1, 1), torch.tensor(pos), **kwargs)


def test_to_points_refuses_what_is_no_grid():
    with pytest.raises(ValueError, match=r"\[B, C, \*S\]"):
        to_points(torch.zeros(2, 3))


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=3),
    bins=st.integers(1, 6),
    dim=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_voxelize_against_a_loop(sizes, bins, dim, seed):
    generator = torch.Generator().manual_seed(seed)
    clouds = [2 * torch.rand(n, dim, generator=generator) - 1 for n in sizes]
    batch = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    x = torch.randn(sum(sizes), 2, generator=generator)
    pos, features, index = voxelize(torch.cat(clouds), bins, x, batch)

    oracle: dict[tuple, list] = {}
    for b, p, f in zip(batch.tolist(), torch.cat(clouds).tolist(), x.tolist(), strict=True):
        oracle.setdefault((b, *(min(int((c + 1) / 2 * bins), bins - 1) for c in p)), []).append(f)
    assert len(pos) == len(oracle)
    for row, (key, members) in enumerate(sorted(oracle.items())):
        assert index[row] == key[0]
        assert pos[row].tolist() == pytest.approx([-1 + (i + 0.5) * 2 / bins for i in key[1:]], abs=1e-6)
        assert features[row].tolist() == pytest.approx(np.mean(members, axis=0).tolist(), abs=1e-5)


def test_voxels_are_on_the_lattice_of_the_paper():
    pos, x, batch = voxelize(torch.tensor([[-1.0, 0.0, 1.0], [0.024, 0.026, -0.999]]), 40)
    assert x is None and batch.tolist() == [0, 0]
    assert pos.flatten().tolist() == pytest.approx([-0.975, 0.025, 0.975, 0.025, 0.025, -0.975])


def test_voxels_fit_a_grid_and_come_back():
    torch.manual_seed(0)
    cloud = torch.rand(500, 3) * 2 - 1
    pos, x, batch = voxelize(cloud, 40, torch.randn(500, 2))
    grid = to_grid(x, pos, batch, size=(40,) * 3, spacing=2 / 40)
    assert (grid[0].abs().sum(0) > 0).sum() == len(pos)
    assert torch.allclose(to_points(grid, 2 / 40).pos[grid[0].flatten(1).any(0)], pos, atol=1e-6)


def test_voxelize_passes_gradients_to_features():
    pos = torch.rand(20, 3) * 2 - 1
    x = torch.randn(20, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: voxelize(pos, 2, v)[1], (x,))


@pytest.mark.parametrize(
    ("pos", "size", "words"),
    [([[1.1, 0.0]], 40, "normalise them first"), ([[float("nan")]], 40, "within"), ([[0.0]], 0, "size >= 1")],
)
def test_voxelize_refuses(pos, size, words):
    with pytest.raises(ValueError, match=words):
        voxelize(torch.tensor(pos), size)


def test_no_points_give_no_voxels():
    pos, x, batch = voxelize(torch.zeros(0, 3), 40, torch.zeros(0, 2))
    assert pos.shape == (0, 3) and x.shape == (0, 2) and batch.shape == (0,)


@pytest.mark.parametrize(
    ("pos", "x", "words"),
    [
        (torch.zeros(4), None, r"pos must be \[N, D\], got \[4\]"),
        (torch.zeros(4, 3), torch.zeros(5, 2), r"x must be \[N, C\] with N = 4 like pos, got \[5, 2\]"),
        (torch.zeros(4, 3), torch.zeros(4), r"x must be \[N, C\] with N = 4 like pos, got \[4\]"),
    ],
)
def test_points_of_other_shapes(pos, x, words):
    with pytest.raises(ValueError, match=words):
        voxelize(pos, 8, x)
