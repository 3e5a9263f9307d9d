"""Neighbours of validation samples: found once, the same logits, no more memory than granted."""

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from ccnn_geo.neighbors import build, build_neighbors
from ccnn_geo.training.data import neighbor_cache
from ccnn_geo.training.data.neighbor_cache import NeighborCache, restore_edges


def clouds(*sizes: int) -> list[Data]:
    generator = torch.Generator().manual_seed(0)
    return [Data(pos=torch.randn(n, 3, generator=generator)) for n in sizes]


class Copies(list):
    """A data set makes a new ``Data`` at every access."""

    def __getitem__(self, index):
        return super().__getitem__(index).clone()


@pytest.fixture
def searches(monkeypatch) -> list[int]:
    """Numbers of points that were searched, wherever the search was asked for."""
    sizes = []
    original = build.make_query

    def spy(pos, *args):
        sizes.append(len(pos))
        return original(pos, *args)

    monkeypatch.setattr(build, "make_query", spy)
    return sizes


@pytest.mark.parametrize("sizes", [(30, 30, 30), (30, 5, 1, 17), (4, 4, 9)])
@pytest.mark.parametrize("k", [6, None])
def test_restored_edges_are_those_of_a_search(sizes, k, searches):
    loader = DataLoader(NeighborCache(Copies(clouds(*sizes)), k, 1 << 20), batch_size=4)
    batches = [restore_edges(next(iter(loader))) for _ in range(3)]
    assert searches == list(sizes)
    for batch in batches:
        assert torch.equal(batch.edge_index, build_neighbors(batch.pos, batch.batch, k).edge_index)
        assert set(batch.keys()) == {"pos", "batch", "ptr", "edge_index"}


def test_other_batches_stay_as_they_are():
    batch = Batch.from_data_list(clouds(3, 4))
    assert restore_edges(batch) is batch
    assert "edge_index" not in batch


def test_memory_is_bounded_and_what_does_not_fit_is_found_again(searches):
    bytes_each = 20 * 6 * 2 + 20 * 4
    cache = NeighborCache(Copies(clouds(20, 20, 20)), 6, 2 * bytes_each)
    first = [cache[i] for i in range(3)]
    again = [cache[i] for i in range(3)]
    assert cache.num_bytes == 2 * bytes_each
    assert len(searches) == 4
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a.neighbor_source, b.neighbor_source)


def test_workers_share_the_memory(monkeypatch):
    class Worker:
        num_workers = 2

    monkeypatch.setattr(neighbor_cache, "get_worker_info", Worker)
    cache = NeighborCache(Copies(clouds(20, 20, 20)), 6, 2 * (20 * 6 * 2 + 20 * 4))
    for i in range(3):
        cache[i]
    assert cache.num_bytes == 20 * 6 * 2 + 20 * 4


def test_indices_of_large_clouds_are_not_cut():
    assert NeighborCache(clouds(32_768), 2, 0)[0].neighbor_source.max() == 32_767
    assert NeighborCache(clouds(32_769), 2, 0)[0].neighbor_source.max() == 32_768


@pytest.mark.usefixtures("no_pictures")
def test_epochs_after_the_first_do_not_search_validation_samples(project, run_cli, searches):
    config = ["train", "--config", "tiny.yaml", "--trainer.max_epochs", "2"]
    assert run_cli(*config, "--out", "plain")[0] == 0
    found = searches.copy()
    searches.clear()
    assert run_cli(*config, "--data.neighbor_cache", "1", "--out", "cached")[0] == 0
    metrics = [(project / name / "metrics.csv").read_text().splitlines() for name in ("plain", "cached")]
    column = metrics[0][0].split(",").index("seconds")
    plain, cached = (
        [[cell for i, cell in enumerate(row.split(",")) if i != column] for row in rows] for rows in metrics
    )
    assert plain == cached
    # In each epoch two training batches, once more for the statistics of norms, then the two validation samples; these
    # once more at the end.
    assert found == 2 * [384, 384, 384, 384, 96] + [96]
    assert searches == [384, 384, 384, 384, 48, 48, 384, 384, 384, 384, 48, 48]


@pytest.mark.usefixtures("no_pictures")
def test_networks_that_see_all_points_keep_their_paths(project, run_cli, searches):
    config = ["train", "--config", "tiny.yaml", "--trainer.max_epochs", "1", "--model.num_neighbors", "null"]
    assert run_cli(*config, "--out", "plain")[0] == 0
    found = searches.copy()
    searches.clear()
    assert run_cli(*config, "--data.neighbor_cache", "1", "--out", "cached")[0] == 0
    assert searches == found
