import fake_data
import pytest
import torch

from ccnn_geo.datasets.registry import PLACES, dataset_class
from ccnn_geo.datasets.shapes.shapes import is_sampled
from ccnn_geo.training.data.families import data_module, make_data
from ccnn_geo.training.data.grids import GridAugmentation, GridsDataModule
from ccnn_geo.training.data.points import PointsDataModule


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return fake_data.register(monkeypatch, tmp_path)


def module(dataset="tones", stage="fit", **kwargs) -> GridsDataModule:
    data = GridsDataModule(dataset, **{"root": ".", "batch_size": 8, **kwargs})
    data.setup(stage)
    return data


def epoch(data, number: int) -> list[list[torch.Tensor]]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)
    return list(loader)


def same(a, b) -> bool:
    return len(a) == len(b) and all(
        torch.equal(u, v) for x, y in zip(a, b, strict=True) for u, v in zip(x, y, strict=True)
    )


def test_batches_are_grids_and_labels():
    data = module("spots")
    x, y = next(iter(data.val_dataloader()))
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((8, 2, 8, 8), torch.float32, (8,), torch.int64)
    assert (data.in_channels, data.dim, data.classes) == (2, 2, ["left", "right", "top"])
    assert len(data.train_dataloader()) == 5
    labels = torch.cat([y for _, y in module("spots", "test").test_dataloader()])
    assert labels.tolist() == fake_data.labels("test", 3).tolist()


def test_an_epoch_depends_on_seed_and_number_alone():
    augment = GridAugmentation(noise=(0.0, 10.0))
    first, second = (epoch(module(augment=augment), number) for number in (0, 1))
    torch.rand(5)
    data = module(augment=augment)
    assert same(epoch(data, 1), second) and same(epoch(data, 0), first)
    assert not same(first, second)
    data.run_seed = 1
    data.setup("fit")
    assert not same(epoch(data, 0), first)


def test_workers_load_the_same():
    augment = GridAugmentation(noise=(0.0, 10.0))
    expected = epoch(module(augment=augment), 3)
    assert same(epoch(module(augment=augment, num_workers=2), 3), expected)


def test_evaluation_is_never_augmented():
    augment = GridAugmentation(noise=(-20.0, 0.0))
    for dataset in ("tones", "own"):
        plain, noisy = (module(dataset, augment=a) for a in (None, augment))
        assert same(list(noisy.val_dataloader()), list(plain.val_dataloader()))
        assert not same(epoch(noisy, 0), epoch(plain, 0))


def test_validation_is_the_split_of_the_data_set_or_held_out():
    assert len(module().validation_set) == 12 and len(module().train_set) == 40
    data = module("own", validation_fraction=0.25)
    assert len(data.validation_set) == 10 and len(data.train_set) == 30
    held_out = {grid.numpy().tobytes() for grid, _ in data.validation_set}
    assert not held_out & {grid.numpy().tobytes() for grid, _ in data.train_set.samples}


def test_limit_keeps_the_first_of_a_fixed_order():
    few, more = ([y for _, y in module(limit=n).train_set.samples] for n in (6, 12))
    assert more[:6] == few and len(more) == 12
    assert set(more) == {0, 1}  # stored by class
    assert len(module(limit=1000).train_set) == 40
    assert len(module(limit=6).validation_set) == 12


def test_images_are_cropped_and_mirrored():
    plain, moved = (epoch(module("spots", augment=a), 0) for a in (None, GridAugmentation(2, True)))
    assert [x.shape for x, _ in moved] == [x.shape for x, _ in plain]
    assert all(torch.equal(a[1], b[1]) for a, b in zip(plain, moved, strict=True))
    a, b = (torch.cat([x for x, _ in batches]) for batches in (plain, moved))
    assert (a != b).flatten(1).any(dim=1).sum() > 30


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch_size": 0}, "expected batch_size >= 1"),
        ({"num_workers": -1}, "num_workers >= 0"),
        ({"limit": 0}, r"data\.limit: expected 1 sample or more"),
        ({"validation_fraction": 1.0}, r"data\.validation_fraction"),
        ({"dataset": "imagenet"}, "expected one of smnist"),
        (
            {"dataset_args": {"colour": 1}},
            r"data\.dataset_args: expected some of download, length, got colour",
        ),
        ({"dataset_args": {"transform": 1}}, "got transform"),
    ],
)
def test_arguments_out_of_range(wrong, message):
    with pytest.raises(ValueError, match=message):
        module(**wrong)


@pytest.mark.parametrize(
    ("dataset", "augment"),
    [
        ("tones", GridAugmentation(crop=2)),
        ("tones", GridAugmentation(flip=True)),
        ("spots", GridAugmentation(shift=2)),
        ("spots", GridAugmentation(crop=-1)),
        ("tones", GridAugmentation(noise=(10.0, 0.0))),
    ],
)
def test_augmentations_that_cannot_be(dataset, augment):
    with pytest.raises(ValueError, match="expected"):
        GridsDataModule(dataset, augment=augment).check()


def test_every_registered_data_set_has_a_module():
    for name in PLACES:
        cls = data_module(name)
        assert (cls in (GridsDataModule, PointsDataModule)) == (not is_sampled(dataset_class(name)))
    with pytest.raises(ValueError, match=r"data\.dataset: expected one of smnist, .*parametric"):
        data_module("imagenet")


def test_plain_settings_make_the_module():
    settings = {"dataset": "tones", "root": ".", "augment": {"noise": [0.0, 10.0]}, "limit": 4}
    data = make_data(settings)
    assert isinstance(data, GridsDataModule) and data.augment.noise == [0.0, 10.0]
    assert (data.in_channels, data.dim, data.num_classes, data.label) == (1, 1, 2, "tones")  # not opened yet


def test_series_and_scenes():
    for dataset, dim, channels, readout in (("visits", 1, 3, "global"), ("scenes", 3, 1, "node")):
        data = PointsDataModule(dataset, num_points=5, batch_size=4)
        data.setup("fit")
        assert (data.dim, data.in_channels, data.readout) == (dim, channels, readout)
        batch = next(iter(data.train_dataloader()))
        assert batch.pos.shape == (20, dim) and len(batch.y) == (20 if readout == "node" else 4)
        first, again = (next(iter(data.val_dataloader())) for _ in range(2))
        assert torch.equal(first.x, again.x)
        whole = data.open("validation")[0]
        places = [int((whole.pos == p).all(dim=1).nonzero()[0]) for p in first.pos[first.batch == 0]]
        assert places == [i * len(whole.pos) // 5 for i in range(5)]  # from the start to the end
