"""``Neighbors``: edges sorted by target, whatever order they come in."""

import pytest
import torch
from torch_geometric import EdgeIndex

from ccnn_geo.neighbors import Neighbors, build_neighbors, knn_graph


def test_from_edge_index_sorts_by_target_and_keeps_order_within():
    edge_index = torch.tensor([[5, 1, 4, 0, 3], [2, 0, 2, 0, 3]], dtype=torch.int32)
    found = Neighbors.from_edge_index(edge_index, num_src=6, num_dst=5)
    assert found.edge_index.tolist() == [[1, 0, 5, 4, 3], [0, 0, 2, 2, 3]]
    assert found.edge_index.dtype == torch.int64
    assert found.ptr.tolist() == [0, 2, 2, 4, 5, 5]
    assert found.degree.tolist() == [2, 0, 2, 1, 0]
    assert repr(found) == "Neighbors(num_src=6, num_dst=5, num_edges=5)"
    assert found.to("cpu") is found
    assert Neighbors.from_edge_index(torch.zeros(2, 0, dtype=torch.int64), 0, 2).ptr.tolist() == [0, 0, 0]


def test_from_edge_index_keeps_sorted_edges_as_they_are():
    edges = knn_graph(torch.randn(40, 2), 5)
    assert Neighbors.from_edge_index(edges, 40, 40).edge_index.data_ptr() == edges.data_ptr()


@pytest.mark.parametrize(
    ("edge_index", "error", "message"),
    [
        (torch.zeros(3, 4, dtype=torch.int64), ValueError, r"shape \[2, E\], got \[3, 4\]"),
        (torch.zeros(2, 4), TypeError, "int64 or int32, got torch.float32"),
        (torch.eye(5).to_sparse(), TypeError, r"got a sparse matrix \[5, 5\]; of an adj_t"),
        ([[0], [0]], TypeError, r"tensor \[2, E\], got list"),
        (torch.tensor([[0, 7], [0, 1]]), ValueError, r"row 0 .* \[0, 5\), got indices from 0 to 7"),
        (torch.tensor([[0, 1], [-1, 1]]), ValueError, r"row 1 .* \[0, 4\), got indices from -1 to 1"),
    ],
)
def test_from_edge_index_says_what_is_wrong(edge_index, error, message):
    with pytest.raises(error, match=message):
        Neighbors.from_edge_index(edge_index, 5, 4)


def test_edges_of_some_targets():
    edge_index = torch.tensor([[0, 1, 2, 3, 1], [0, 0, 2, 3, 3]])
    neighbors = Neighbors.from_edge_index(edge_index, 4, 4)
    some = neighbors.of(torch.tensor([3, 1, 0]))
    assert some.edge_index.tolist() == [[3, 1, 0, 1], [0, 0, 2, 2]]
    assert some.ptr.tolist() == [0, 2, 2, 4] and (some.num_src, some.num_dst) == (4, 3)
    none = neighbors.of(torch.empty(0, dtype=torch.long))
    assert none.num_edges == 0 and none.ptr.tolist() == [0]


def test_sizes_are_numbers():
    none = torch.zeros(2, 0, dtype=torch.int64)
    for size in (2.0, True, "3"):
        with pytest.raises(TypeError, match=f"num_src must be an int, got {size!r}"):
            Neighbors.from_edge_index(none, size, 1)
    with pytest.raises(ValueError, match="num_dst must not be negative, got -1"):
        Neighbors.from_edge_index(none, 1, -1)


def test_positions_of_other_kinds():
    with pytest.raises(TypeError, match=r"pos must be a tensor \[N, D\], got list"):
        knn_graph([[0.0, 1.0]], 1)


def test_edges_go_to_another_device():
    neighbors = build_neighbors(torch.rand(5, 2), num_neighbors=2)
    assert neighbors.to("cpu") is neighbors
    there = neighbors.to("meta")
    assert there.edge_index.device.type == there.ptr.device.type == "meta"
    assert (there.num_edges, there.num_src, there.num_dst) == (10, 5, 5)


def test_there_and_back_as_edge_index_of_pyg():
    pos, target = torch.rand(30, 3), torch.rand(11, 3)
    edges = build_neighbors(pos, num_neighbors=4, pos_dst=target)
    given = edges.to_edge_index().validate()
    assert isinstance(given, EdgeIndex) and given.sparse_size() == (30, 11) and given.is_sorted_by_col
    assert given.as_tensor().data_ptr() == edges.edge_index.data_ptr()  # nothing is copied
    back = Neighbors.from_edge_index(given, *given.sparse_size())
    assert torch.equal(back.edge_index, edges.edge_index) and torch.equal(back.ptr, edges.ptr)
    assert type(back.edge_index) is type(Neighbors(given, edges.ptr, 30, 11).edge_index) is torch.Tensor
    (pointers, sources), order = given.get_csc()
    assert torch.equal(pointers, edges.ptr) and torch.equal(sources, edges.edge_index[0]) and order is None


@pytest.mark.filterwarnings("ignore:Sparse ")
def test_pyg_multiplies_by_it_as_by_a_matrix():
    pos, x = torch.rand(30, 3), torch.rand(30, 5)
    edges = build_neighbors(pos, num_neighbors=4)
    source, target = edges.edge_index
    expected = torch.zeros(30, 5).index_add_(0, target, x[source])
    assert torch.allclose(edges.to_edge_index().matmul(x, transpose=True), expected)
    assert torch.equal(edges.to_edge_index().sort_by("row").values.sort_by("col").values[1], target)
