import pytest
import torch

from ccnn_geo.datasets import stratified_split
from ccnn_geo.datasets.registry import PLACES, dataset_class
from ccnn_geo.training.data.families import make_data
from ccnn_geo.training.data.shapes import ShapesDataModule
from ccnn_geo.training.data.sources import check_arguments, keywords
from ccnn_geo.transforms.pipelines.shapes import Augmentation, ShapePipeline
from tests.fixtures.shapes_on_disk import write_clouds


def module(**kwargs) -> ShapesDataModule:
    defaults = {"dataset": "folder", "root": "shapes", "num_points": 48, "num_samples": 64, "batch_size": 8}
    return ShapesDataModule(**{**defaults, **kwargs})


def names(loader) -> list[str]:
    return [name for batch in loader for name in batch.name]


def test_validation_is_a_stratified_part_of_train(project):
    data = module(validation_fraction=0.25)
    data.setup("fit")
    y = torch.arange(2).repeat_interleave(12)
    keep, held_out = stratified_split(y, 0.25, 0)
    assert len(data.train_set) == len(keep) == 18
    validation = names(data.val_dataloader())
    train = data.train_set.samples.names
    assert len(validation) == len(held_out) == 6
    assert not set(validation) & set(train)
    assert all(name.startswith("train/") for name in [*validation, *train])


def test_validation_split_of_the_folder_is_used(project):
    write_clouds(project / "shapes", {"validation": 3})
    data = module()
    data.setup("fit")
    assert len(data.train_set) == 24
    assert sorted({name.split("/")[0] for name in names(data.val_dataloader())}) == ["validation"]


def test_limit_keeps_the_first_of_a_fixed_order(project):
    few, more, every = (module(limit=n) for n in (4, 9, None))
    for data in (few, more, every):
        data.setup("fit")
    found = [list(data.train_set.samples.names) for data in (few, more, every)]
    assert [len(some) for some in found] == [4, 9, len(every.train_set)]
    assert found[0] == found[1][:4]
    assert set(found[1]) <= set(found[2])
    assert len(few.validation_set) == len(every.validation_set)


def test_test_set_is_opened_by_test_alone(project):
    for path in (project / "shapes" / "test").rglob("*.npy"):
        path.write_bytes(b"unreadable")
    data = module()
    data.setup("fit")
    names(data.train_dataloader()), names(data.val_dataloader())
    with pytest.raises(ValueError, match="8 of 8 files could not be read"):
        data.setup("test")


def test_test_samples_in_order(project):
    data = module()
    data.setup("test")
    assert names(data.test_dataloader()) == data.test_set.names == sorted(data.test_set.names)


def test_training_draws_points_anew_and_evaluation_does_not(project):
    data = module(augment=Augmentation())
    data.setup("fit")
    assert not torch.equal(data.train_set[0, 0].pos, data.train_set[1, 0].pos)
    stored = data.train_set.samples[0]
    assert data.train_set[0, 0].pos.shape == (48, 3)
    distance = torch.cdist(data.train_set[0, 0].pos.double(), stored.pos.double())
    assert (distance.min(dim=1).values < 1e-7).all()  # a subset, not augmented
    first, again = (next(iter(data.val_dataloader())) for _ in range(2))
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.x, torch.cat([first.normal, first.pos], dim=1))


@pytest.mark.parametrize("augment", [Augmentation(), Augmentation(scale=(0.5, 2.0), shift=0.5, jitter=0.01)])
def test_voxels(project, augment):
    data = module(carrier="voxels", voxel_size=10, augment=augment)
    data.setup("fit")
    for batch in (next(iter(data.train_dataloader())), next(iter(data.val_dataloader()))):
        cell = (batch.pos + 0.9) / 0.2
        torch.testing.assert_close(cell, cell.round(), atol=1e-4, rtol=0)
        assert batch.x.shape == (len(batch.pos), 6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dataset": "imagenet"},
        {"num_points": 0},
        {"num_points": 100},
        {"carrier": "mesh"},
        {"features": ["colour"]},
        {"voxel_size": 0},
        {"batch_size": 0},
        {"validation_fraction": 1.0},
        {"num_workers": -1},
        {"neighbor_cache": -1},
        {"limit": 0},
    ],
)
def test_arguments_out_of_range(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}.*expected|expected.*{next(iter(wrong))}"):
        module(**wrong)


def test_wrong_argument_of_the_data_set(project):
    with pytest.raises(ValueError, match=r"data\.dataset_args"):
        module(dataset_args={"colour": 1}).setup("fit")


def test_pipeline_ignores_other_settings():
    settings = {"num_points": 7, "features": None, "batch_size": 3, "carrier": "voxels"}
    assert ShapePipeline.from_settings(settings) == ShapePipeline(num_points=7, carrier="voxels")


def test_arguments_of_data_sets_are_known_by_their_signatures():
    both = {"num_workers": 0, "on_error": "skip"}
    check_arguments("folder", {"cache": "x", **both})
    check_arguments("parametric", {"train_per_class": 2, "cache": "x", **both})
    check_arguments("modelnet40", {"check_counts": False, "download": False, **both})
    for name in ("parametric", "modelnet10", "modelnet40", "folder"):
        for wrong in ("files", "kwargs", "num_points", "split", "k"):
            with pytest.raises(ValueError, match=rf"data\.dataset_args: expected some of .*, got {wrong}$"):
                check_arguments(name, {wrong: 1})


def test_a_type_error_of_the_work_is_not_one_of_the_arguments(project, monkeypatch):
    monkeypatch.setattr("ccnn_geo.datasets.shapes.shapes.prepare", lambda *_: len(3))
    with pytest.raises(TypeError, match="no len"):
        module().setup("fit")


@pytest.mark.parametrize("name", [name for name in PLACES if name != "parametric"])
def test_data_that_are_not_there_name_the_option(tmp_path, name):
    known = {"lidar": {"classes": [1, 2], "features": ["constant"]}}
    settings = {"download": False} if "download" in keywords(dataset_class(name)) else {}
    root = str(tmp_path / "nowhere")
    data = make_data({"dataset": name, "root": root, "dataset_args": settings | known.get(name, {})})
    with pytest.raises(
        FileNotFoundError, match=f"; set --data.root to the folder of the data, got '{root}'$"
    ):
        data.setup("fit")
