"""Batches for a GPU: pinned, copied without waiting, loaded by processes of their own unless the user says no."""

import os
from types import SimpleNamespace

import fake_data
import pytest
import torch
from torch_geometric.data import Batch, Data

from ccnn_geo.neighbors import build_neighbors
from ccnn_geo.training.data import loading
from ccnn_geo.training.data.families import make_data
from ccnn_geo.training.data.loading import number_of_workers, trains_on_gpu
from ccnn_geo.training.data.neighbor_cache import NeighborCache
from ccnn_geo.training.data.shapes import ShapesDataModule
from ccnn_geo.training.lightning import Trainer


def trainer(device, devices=1):
    """As much of a trainer as loaders ask for."""
    progress = SimpleNamespace(epoch_progress=SimpleNamespace(current=SimpleNamespace(processed=0)))
    return SimpleNamespace(
        strategy=SimpleNamespace(root_device=torch.device(device)),
        num_devices=devices,
        world_size=1,
        global_rank=0,
        fit_loop=progress,
    )


@pytest.fixture
def cores(monkeypatch):
    def have(count, start="fork"):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)
        monkeypatch.setattr(loading.torch.multiprocessing, "get_start_method", lambda allow_none: None)
        monkeypatch.setattr(loading.torch.multiprocessing, "get_all_start_methods", lambda: [start, "spawn"])

    return have


@pytest.mark.parametrize(
    ("count", "devices", "expected"), [(1, 1, 1), (2, 1, 1), (6, 1, 5), (64, 1, 8), (64, 8, 7), (4, 8, 1)]
)
def test_a_gpu_has_workers_by_default(count, devices, expected, cores):
    cores(count)
    assert number_of_workers(None, trainer("cuda:1", devices)) == expected
    assert number_of_workers(None, trainer("cpu")) == number_of_workers(None, None) == 0


def test_what_the_user_says_counts(cores):
    cores(16)
    for asked in (0, 3, 40):
        for device in ("cuda", "cpu"):
            assert number_of_workers(asked, trainer(device)) == asked


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_processes_that_import_the_program_again_are_not_started_unasked(start, cores):
    cores(16, start)
    assert number_of_workers(None, trainer("cuda")) == 0
    assert number_of_workers(2, trainer("cuda")) == 2


def test_asking_for_the_start_method_does_not_settle_it():
    settled = torch.multiprocessing.get_start_method(allow_none=True)
    number_of_workers(None, trainer("cuda"))
    assert torch.multiprocessing.get_start_method(allow_none=True) == settled


def test_a_real_trainer_says_what_it_trains_on():
    on_cpu = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False)
    assert not trains_on_gpu(on_cpu) and not trains_on_gpu(None)
    assert on_cpu.num_devices == 1 and number_of_workers(None, on_cpu) == 0


@pytest.mark.parametrize(
    "given", [{}, {"num_workers": None}, {"num_workers": 0}, {"num_workers": 2}], ids=str
)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_loaders(given, device, cores, tmp_path, monkeypatch):
    cores(4)
    monkeypatch.chdir(tmp_path)
    fake_data.register(monkeypatch, tmp_path)
    data = make_data({"dataset": "spots", "root": ".", "batch_size": 8, **given})
    data.setup("fit")
    data.trainer = trainer(device)
    for loader in (data.train_dataloader(), data.val_dataloader()):
        asked = given.get("num_workers")
        assert loader.num_workers == (asked if asked is not None else 3 if device == "cuda" else 0)
        assert loader.persistent_workers == (loader.num_workers > 0)
        assert loader.pin_memory == (device == "cuda")


def clouds(edges=False):
    samples = [Data(x=torch.randn(20, 6), pos=torch.rand(20, 3), y=torch.tensor([i % 3])) for i in range(4)]
    return Batch.from_data_list(list(NeighborCache(samples, 5, 1 << 20)) if edges else samples)


@pytest.mark.parametrize("edges", [True, False])
def test_clouds_are_sent_without_waiting(edges, device, record_waits):
    data, batch = ShapesDataModule("folder", "shapes"), clouds(edges)
    with record_waits() as waits:
        sent = data.on_after_batch_transfer(data.transfer_batch_to_device(batch, device, 0), 0)
    assert not waits
    assert all(t.device.type == device.type for t in (sent.x, sent.pos, sent.y, sent.batch, sent.ptr))
    assert torch.equal(sent.pos.cpu(), batch.pos.cpu())
    if edges:
        expected = build_neighbors(sent.pos.cpu(), sent.batch.cpu(), 5).edge_index
        assert torch.equal(sent.edge_index.cpu(), expected)


def test_grids_are_sent_without_waiting(device, record_waits):
    data, batch = ShapesDataModule("folder", "shapes"), [torch.randn(2, 3, 8), torch.tensor([0, 1])]
    with record_waits() as waits:
        x, y = data.transfer_batch_to_device(batch, device, 0)
    assert not waits
    assert torch.equal(x.cpu(), batch[0]) and torch.equal(y.cpu(), batch[1])
