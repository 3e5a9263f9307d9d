"""What searches on a device: the edges of the CPU for any cloud, by as few waits as can be, and in bounded memory."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ccnn_geo.functional.clouds import cloud_offsets, glance_at_clouds
from ccnn_geo.neighbors import build_neighbors
from ccnn_geo.neighbors import cell_search as cell_search_module
from ccnn_geo.neighbors import cells as cells_module
from ccnn_geo.neighbors import device as device_module
from ccnn_geo.neighbors.cell_search import CellSearch
from ccnn_geo.neighbors.cells import Cells
from ccnn_geo.neighbors.exact import search_exact, squared_distances
from ccnn_geo.neighbors.query import make_query
from tests.neighbors.neighbor_problems import KINDS, make_cloud, problems
from tests.pairwise import pairwise

SIZES = {
    "ragged": (40, 30, 35, 3, 0, 140, 1, 96, 60, 50),
    "equal": (64,) * 5,
    "one": (300,),
    "tiny": (1, 2, 1),
    "none": (0, 0),
}


def clouds(sizes, kind, dim=3):
    generator = torch.Generator().manual_seed(len(sizes))
    pos = torch.cat([make_cloud(kind, n, dim, generator).double() for n in sizes])
    return pos, torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))


def cells_from(monkeypatch, points, begin=1):
    """Clouds of more than so many points go into small cells, begin with so few, and go on until all are seen."""
    monkeypatch.setattr(device_module, "LARGE", points)
    monkeypatch.setattr(device_module, "MANY_TARGETS", 1)
    monkeypatch.setattr(cells_module, "FEWEST", 3)
    if begin is not None:
        monkeypatch.setattr(CellSearch, "pays", True)
        monkeypatch.setattr(CellSearch, "_cells_needed", lambda self: begin)


@pytest.mark.parametrize(
    *pairwise(
        {
            "sizes": SIZES.values(),
            "kind": KINDS,
            "k": [1, 9, 32, 256, None],
            "r": [None, 0.0, 0.4, 100.0],
            "loop": [True, False],
            "large": [1 << 14, 20],
        }
    )
)
def test_edges_are_those_of_the_cpu(device, monkeypatch, sizes, kind, k, r, loop, large):
    cells_from(monkeypatch, large)
    monkeypatch.setattr(device_module, "MOST_PAIRS", 9000)
    pos, batch = clouds(sizes, kind)
    expected = search_exact(make_query(pos, batch, None, None, k, r, loop))
    found = build_neighbors(pos.to(device), batch.to(device), k, r, loop=loop, backend="device")
    assert torch.equal(found.edge_index.cpu(), expected[0]) and torch.equal(found.degree.cpu(), expected[1])


@settings(max_examples=25, deadline=None)
@given(
    problem=problems(),
    targets=problems(),
    large=st.sampled_from([1 << 14, 10]),
    pairs=st.sampled_from([1, 300, 1 << 22]),
    held=st.sampled_from([0, 1 << 24]),
)
def test_other_targets_and_other_pieces(problem, targets, large, pairs, held):
    pos, batch, k, r = problem
    dim = min(pos.size(1), targets[0].size(1))
    given_points = (pos[:, :dim], batch, k, r, targets[0][:, :dim], targets[1])
    expected = build_neighbors(*given_points, backend="torch")
    with pytest.MonkeyPatch.context() as patch:
        cells_from(patch, large)
        patch.setattr(device_module, "MOST_PAIRS", pairs)
        patch.setattr(device_module, "HELD_PAIRS", held)
        patch.setattr(cell_search_module, "PAIRS", pairs)
        found = build_neighbors(*given_points, backend="device")
    assert torch.equal(found.edge_index, expected.edge_index) and torch.equal(found.ptr, expected.ptr)


@pytest.mark.parametrize("sizes", [(70, 3, 0, 140, 1, 96), (64,) * 5, None])
@pytest.mark.parametrize(
    ("given_numbers", "most"), [({"num_neighbors": 9}, 1), ({"num_neighbors": None}, 1), ({"radius": 0.5}, 2)]
)
def test_a_batch_waits_once_and_once_more_for_how_many_are_within_a_radius(
    device, record_waits, sizes, given_numbers, most
):
    pos, batch = clouds(sizes or (300,), "random")
    pos, batch = pos.to(device), batch.to(device) if sizes else None
    with record_waits() as waits:
        build_neighbors(pos, batch, **given_numbers)
        assert len(waits) <= most, waits
        build_neighbors(
            pos, batch, pos_dst=pos[::2], batch_dst=batch if batch is None else batch[::2], **given_numbers
        )
    assert len(waits) <= 2 * most, waits


def test_a_large_cloud_waits_a_few_times(device, record_waits, monkeypatch):
    cells_from(monkeypatch, 1000, begin=None)
    pos = torch.randn(2500, 3).to(device)
    with record_waits() as waits:
        build_neighbors(pos, num_neighbors=4)
    assert len(waits) <= 6, waits


@pytest.mark.parametrize("kind", ["random", "lattice", "ball on a plane"])
def test_twenty_thousand_points_as_a_tree_has_them(monkeypatch, kind):
    monkeypatch.delattr(device_module._AllPairs, "distances")  # cells answer for all
    pos = torch.rand(20_000, 3, generator=torch.Generator().manual_seed(3))
    if kind == "lattice":
        pos = (pos * 27).floor() * 0.1
    if kind == "ball on a plane":  # a density that differs a thousandfold
        pos[:18_000, 2] = 0
        pos[18_000:] = pos[18_000:] * 0.02 + 0.5
    k, points = 32, pos.double()
    candidates = torch.from_numpy(cKDTree(points.numpy()).query(points.numpy(), 160)[1]).sort(dim=1).values
    d2 = squared_distances(points[:, None], points[candidates])
    order = d2.argsort(dim=1, stable=True)[:, :k]
    # No point that the tree left out can be among them.
    sure = d2.amax(dim=1) > d2.gather(1, order)[:, -1] * (1 + 1e-9)
    assert sure.double().mean() > 0.98
    found = build_neighbors(pos, num_neighbors=k, backend="device").edge_index[0].view(-1, k)
    assert torch.equal(found[sure], candidates.gather(1, order)[sure])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("k", "r"), [(8, None), (40, 0.35), (None, 0.35)])
def test_cells_find_the_edges_whatever_they_begin_with(device, monkeypatch, kind, k, r):
    pos = make_cloud(kind, 700, 2, torch.Generator().manual_seed(6)).double()
    expected = search_exact(make_query(pos, None, None, None, k, r, True))[0]
    for begin in (1, 5, None):
        with monkeypatch.context() as patch:
            cells_from(patch, 500, begin)
            assert torch.equal(
                build_neighbors(pos.to(device), None, k, r, backend="device").edge_index.cpu(), expected
            )


class LargestTensor(TorchDispatchMode):
    """Bytes of the largest tensor that any operator gives, but for one of a certain size."""

    def __init__(self, besides):
        super().__init__()
        self.largest, self.besides = 0, besides

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        sizes = [t.untyped_storage().nbytes() for t in tree_leaves(out) if isinstance(t, torch.Tensor)]
        self.largest = max([self.largest, *(size for size in sizes if size != self.besides)])
        return out


def test_a_large_cloud_takes_memory_for_its_edges_and_little_more(monkeypatch):
    monkeypatch.delattr(device_module._AllPairs, "distances")
    num, k = 120_000, 32
    pos = torch.nn.functional.normalize(
        torch.randn(num, 3, generator=torch.Generator().manual_seed(4)), dim=1
    )
    with LargestTensor(besides=8 * (2 * num * k + 1)) as memory:
        found = build_neighbors(pos, num_neighbors=k, backend="device").edge_index[0].view(num, k)
    assert memory.largest <= 8 * cell_search_module.PAIRS
    some = torch.arange(0, num, 4001)
    d2 = squared_distances(pos[some].double()[:, None], pos.double())
    assert torch.equal(found[some], d2.argsort(dim=1, stable=True)[:, :k])


@pytest.mark.parametrize("kind", KINDS)
def test_cells_have_each_point_once_and_know_what_they_leave_out(kind):
    pos = make_cloud(kind, 1000, 3, torch.Generator().manual_seed(5)).double()
    cells = Cells.build(pos)
    assert (len(cells), cells.size) == (32, 32)
    assert torch.equal(cells.ids[cells.ids < 1000].sort().values, torch.arange(1000, dtype=torch.int32))
    assert bool((cells.points.isnan().all(dim=2) == (cells.ids == 1000)).all())
    targets = pos[cells.members[:5]]
    d2, ids, horizon = cells.look(targets, 6)
    assert torch.equal(d2.isnan(), (ids == 1000).expand_as(d2))
    for group in range(5):
        left_out = torch.ones(1001, dtype=torch.bool).index_fill_(0, ids[group, 0].long(), False)[:1000]
        farther = squared_distances(targets[group, :, None], pos[left_out])
        assert bool((farther >= horizon[group]).all())
    assert bool(cells.look(targets, 32)[2].isinf().all())


def test_a_glance_sees_what_the_checks_see(device):
    pos, batch = clouds((70, 3, 0, 140, 1, 96), "random")
    other = batch[:80]
    found = glance_at_clouds(
        (pos.to(device), batch.int().to(device)), (pos[:80].to(device), other.to(device))
    )
    for (ptr, offsets), (p, b) in zip(found, ((pos, batch), (pos[:80], other)), strict=True):
        assert ptr == offsets.tolist() == cloud_offsets(p, b, 6, "batch")
    assert glance_at_clouds((pos.to(device), None))[0][0] == [0, 310]


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (
            {"pos": torch.tensor([[0.0], [torch.nan], [torch.inf], [1.0]])},
            ValueError,
            "NaN or Inf in 2 of 4 points",
        ),
        ({"batch": torch.tensor([0, 1, 0, 1])}, ValueError, "batch must be sorted"),
        ({"batch": torch.tensor([0, 1, 1])}, ValueError, r"one cloud per point, \[4\]"),
        ({"batch": torch.tensor([-1, 0, 0, 0])}, ValueError, "must not be negative, got -1"),
        ({"batch": torch.zeros(4)}, TypeError, "int64 or int32, got torch.float32"),
        ({"pos_dst": torch.zeros(2, 2)}, ValueError, "same dimension"),
        ({"pos_dst": torch.zeros(2, 1), "loop": False}, ValueError, "loop=False needs"),
        ({"batch_dst": torch.zeros(4, dtype=torch.int64)}, ValueError, "batch_dst was given without pos_dst"),
    ],
)
def test_a_device_hears_the_same_errors(device, changed, error, message):
    changed = {name: v.to(device) if isinstance(v, torch.Tensor) else v for name, v in changed.items()}
    with pytest.raises(error, match=message):
        build_neighbors(**{"pos": torch.zeros(4, 1).to(device), **changed})


def test_more_clouds_than_are_glanced_at(device):
    pos, batch = torch.randn(4500, 2), torch.arange(4500)
    found = build_neighbors(pos.to(device), batch.to(device), 5, backend="device")
    assert torch.equal(found.edge_index.cpu(), build_neighbors(pos, batch, 5).edge_index)


def test_no_points_on_a_device(device):
    none = torch.zeros(0, 3).to(device)
    for numbers in ({}, {"radius": 1.0}):
        assert build_neighbors(none, **numbers, backend="device").num_edges == 0
        assert (
            build_neighbors(
                none, pos_dst=torch.zeros(4, 3).to(device), **numbers, backend="device"
            ).ptr.numel()
            == 5
        )
