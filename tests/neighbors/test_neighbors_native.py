"""The compiled search: the same edges as without it, bit by bit, on whatever clouds and processors."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ccnn_geo._base.native import build
from ccnn_geo.neighbors import build_neighbors
from ccnn_geo.neighbors import native as native_module
from ccnn_geo.neighbors.exact import search_torch
from ccnn_geo.neighbors.native import has_native, search_native
from ccnn_geo.neighbors.query import make_query
from tests.other_processors import run_on_other_processors
from tests.pairwise import pairwise

needs_native = pytest.mark.skipif(not has_native(), reason=build.native_status("nearest"))


def compare(src, sizes=None, k=None, r=None, dst=None, dst_sizes=None, loop=True):
    """Compiled against torch."""
    batch, batch_dst = (
        None if s is None else torch.arange(len(s)).repeat_interleave(torch.tensor(s))
        for s in (sizes, dst_sizes)
    )
    query = make_query(src, batch, dst, batch_dst, k, r, loop)
    for found, expected in zip(search_native(query), search_torch(query), strict=True):
        assert torch.equal(found, expected)


def cloud(kind, num, dim, seed=0):
    """Points of a kind that is hard for a search, float64."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(num, dim, generator=generator, dtype=torch.float64)
    cells = torch.randint(0, 5, (num, dim), generator=generator)
    return {
        "normal": normal,
        "sphere": torch.nn.functional.normalize(normal, dim=1),
        "lattice": cells.double(),
        "rounded lattice": cells * 0.3,  # distances that differ in their last bits
        "duplicates": normal[torch.arange(num) % (1 + num // 8)],
        "alike": normal[:1].expand(num, dim) if num else normal,
        "collinear": torch.randint(0, 50, (num, 1), generator=generator) * torch.ones(dim).double(),
        "scales": normal * 10.0 ** torch.randint(-160, 160, (num, 1), generator=generator).double(),
        "outlier": torch.cat([normal[:1] * 1e6, normal[1:]]),
        "far away": 1e6 + normal * 1e-6,
    }[kind]


KINDS = ["normal", "sphere", "lattice", "rounded lattice", "duplicates", "alike", "collinear", "scales"]
KINDS += ["outlier", "far away"]


@st.composite
def problems(draw):
    dim, seed = draw(st.integers(1, 5)), draw(st.integers(0, 2**31))
    sizes = draw(st.lists(st.sampled_from([0, 1, 2, 15, 16, 17, 40, 130]), min_size=1, max_size=4))
    clouds = [cloud(draw(st.sampled_from(KINDS)), n, dim, seed + i) for i, n in enumerate(sizes)]
    scale = draw(st.sampled_from([1, 1, 1, 1e-160, 1e-30, 1e30, 1e152, 1e160]))
    dtype = draw(st.sampled_from([torch.float64, torch.float64, torch.float32]))
    most = 1e300 if dtype == torch.float64 else 1e38
    return (torch.cat(clouds).double() * scale).clamp(-most, most).to(dtype), sizes


k_or_none = st.sampled_from([1, 2, 7, 16, 39, 40, 41, 256, None])
r_or_none = st.sampled_from([None, None, 0.0, 0.3, 2.0, 1e155])


@needs_native
@settings(max_examples=150, deadline=None)
@given(problem=problems(), k=k_or_none, r=r_or_none, loop=st.booleans())
@example(problem=(torch.zeros(0, 2), [0]), k=3, r=None, loop=True)
@example(problem=(1e308 * torch.tensor([[1.0], [-1.0], [0.0]]).double(), [3]), k=2, r=None, loop=False)
def test_edges_are_those_of_numpy(problem, k, r, loop):
    pos, sizes = problem
    compare(pos, sizes, k, r, loop=loop)


@needs_native
@settings(max_examples=60, deadline=None)
@given(problem=problems(), targets=problems(), k=k_or_none, r=r_or_none)
def test_bipartite_edges_are_those_of_numpy(problem, targets, k, r):
    dim = min(problem[0].size(1), targets[0].size(1))
    compare(problem[0][:, :dim], problem[1], k, r, targets[0][:, :dim], targets[1])


MANY = 1040  # a block has 1,024
SEARCHES = {
    **{f"k={k}": {"k": k, "loop": k not in (20, MANY - 1)} for k in (1, 20, 200, MANY - 1, MANY, 2000)},
    "ragged": {"sizes": [1, 0, 1025, 14], "k": 64},
}


@needs_native
@pytest.mark.parametrize(*pairwise({"kind": KINDS, "search": [*SEARCHES, "bipartite"], "dim": [1, 2, 3, 5]}))
def test_clouds_of_many_blocks(kind, search, dim):
    if search == "bipartite":
        src, dst = (cloud(kind, num, dim, num).double().clamp(-1e38, 1e38).float() for num in (600, 90))
        compare(src, [300, 0, 300], 9, None, dst, [0, 50, 40])
    else:
        points, given = cloud(kind, MANY, dim), SEARCHES[search]
        # numpy's search takes its time with each target: all of them where they leave themselves out
        targets = points[::8] if given.get("loop") else None
        compare(points, dst=targets, **given)


@needs_native
def test_more_alike_than_there_is_room_for():
    # thousands share the leading half of the last distance: some alike in all bits, some not
    pos = torch.zeros(4000, 2, dtype=torch.float64)
    pos[:, 0] = 1 + 2.0**-45 * (torch.arange(4000) * 7919 % 40)
    pos[::5, 0] = -1
    compare(pos, None, 5, dst=torch.zeros(3, 2, dtype=torch.float64))
    compare(pos, None, 100, loop=False)
    pos[0] = 50  # and keys of few bits that leave hundreds alike
    compare(pos, None, 3999, dst=pos[::10])


@needs_native
def test_infinitely_far_is_an_answer():
    pos = torch.tensor([[-1e200], [1e200], [0.0], [1.0], [1.5e200]], dtype=torch.float64)
    for k in (1, 2, 3, 4, 5):
        for loop in (True, False):
            with np.errstate(over="ignore"):
                compare(pos, None, k, loop=loop)
    compare(pos, None, None, 1e300)
    compare(pos, None, None, 1e300, loop=False)


@needs_native
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_matter(threads, monkeypatch):
    monkeypatch.setattr(native_module, "THREAD_PAIRS", 100)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for r in (None, 0.4):
            compare(cloud("normal", 700, 3), [300, 400], 33, r)
    finally:
        torch.set_num_threads(before)


@needs_native
def test_auto_and_torch_take_it(monkeypatch):
    calls, original = [], native_module.empty_edges
    monkeypatch.setattr(native_module, "empty_edges", lambda *a: calls.append(a) or original(*a))
    for backend in ("auto", "torch"):
        build_neighbors(cloud("normal", 50, 3), None, 5, backend=backend)
    assert len(calls) == 2
    monkeypatch.setenv("CCNN_GEO_NATIVE", "0")
    build_neighbors(cloud("normal", 50, 3), None, 5, backend="torch")
    assert len(calls) == 2 and not has_native()


@needs_native
def test_too_many_neighbors_are_left_to_torch(monkeypatch):
    query = make_query(cloud("normal", 50, 3), None, None, None, 20, None, True)
    monkeypatch.setattr(native_module, "MAX_NEIGHBORS", 19)
    assert search_native(query) is None
    assert build_neighbors(query.src, None, 20, backend="torch").num_edges == 1000


@needs_native
def test_no_memory_is_said(monkeypatch):
    monkeypatch.setattr(native_module, "_function", lambda: lambda args: 1)
    with pytest.raises(MemoryError, match="50 points"):
        build_neighbors(cloud("normal", 50, 3), None, 5, backend="torch")


@needs_native
def test_narrower_vectors_give_the_same(tmp_path):
    def check():
        for kind in KINDS:
            compare(cloud(kind, 1100, 3), [700, 400], 150)

    run_on_other_processors(
        check, ["nearest"], tmp_path, ("-mno-avx512f", "-mno-avx", "-O1 -fno-tree-vectorize")
    )


class Searched(torch.utils.data.Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return build_neighbors(cloud("normal", 400, 3), None, 30, backend="torch").edge_index


@needs_native
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_forked_workers_do_not_hang(monkeypatch):
    monkeypatch.setattr(native_module, "THREAD_PAIRS", 100)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = Searched()[0]
        loader = torch.utils.data.DataLoader(
            Searched(), num_workers=2, timeout=60, multiprocessing_context="fork"
        )
        for batch in loader:
            assert torch.equal(batch[0], expected)
    finally:
        torch.set_num_threads(before)
