"""BuildNeighbors: a network given the edges answers as one that finds them, and searches for nothing."""

import pytest
import torch
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import Compose

from ccnn_geo import CCNN
from ccnn_geo.neighbors import Neighbors, build, build_neighbors
from ccnn_geo.transforms import BuildNeighbors, FixedSubset, RandomRotate


def clouds(*sizes: int) -> list[Data]:
    generator = torch.Generator().manual_seed(0)
    return [
        Data(pos=torch.randn(n, 3, generator=generator), x=torch.randn(n, 2, generator=generator))
        for n in sizes
    ]


@pytest.fixture
def model() -> CCNN:
    torch.manual_seed(0)
    net = CCNN(2, 3, 3, 8, 1, kernel_hidden=4, omega_0=0.5, window_init=0.5, num_neighbors=6)
    net(Batch.from_data_list(clouds(20, 20)))
    return net.eval()


class Stored(InMemoryDataset):
    def process(self) -> None:
        self.save([self.pre_transform(data) for data in clouds(30, 5, 1, 17)], self.processed_paths[0])

    @property
    def processed_file_names(self) -> str:
        return "data.pt"


def test_stored_edges_give_the_logits_of_a_search(model, tmp_path, monkeypatch):
    expected = model(Batch.from_data_list(clouds(30, 5, 1, 17)))
    data = Stored(str(tmp_path), pre_transform=BuildNeighbors(6), log=False)
    data.load(data.processed_paths[0])
    monkeypatch.setattr(build, "make_query", None)
    batch = next(iter(DataLoader(data, batch_size=4)))
    assert torch.equal(model(batch), expected)


def test_a_batch_has_the_edges_of_a_search_and_they_need_no_sorting():
    data = [BuildNeighbors(6)(d) for d in clouds(30, 5, 0, 1, 17)]
    batch = Batch.from_data_list(data)
    assert torch.equal(batch.edge_index, build_neighbors(batch.pos, batch.batch, 6).edge_index)
    found = Neighbors.from_edge_index(batch.edge_index, 53, 53)
    assert found.edge_index.data_ptr() == batch.edge_index.data_ptr()
    # Of a whole batch as well.
    again = BuildNeighbors(6)(Batch.from_data_list(clouds(30, 5, 0, 1, 17)))
    assert torch.equal(again.edge_index, batch.edge_index)


def test_radius_and_loop():
    data = clouds(40)[0]
    transform = BuildNeighbors(5, radius=0.8, loop=False)
    expected = build_neighbors(data.pos, None, 5, 0.8, loop=False)
    assert torch.equal(transform(data).edge_index, expected.edge_index)
    assert repr(transform) == "BuildNeighbors(5, radius=0.8, loop=False)"
    assert repr(BuildNeighbors(None)) == "BuildNeighbors(None)"


def test_rotation_may_follow_and_choice_of_points_may_not(model, monkeypatch):
    data = clouds(40)[0]
    rotated = Compose([BuildNeighbors(6), RandomRotate("z")])(data.clone())
    assert torch.equal(rotated.edge_index, build_neighbors(data.pos, None, 6).edge_index)
    with monkeypatch.context() as patch:
        patch.setattr(build, "make_query", None)
        model(rotated)
    with pytest.raises(ValueError, match="leave edge_index dangling"):
        Compose([BuildNeighbors(6), FixedSubset(10)])(data)
