"""Names of splits and of classes, as people and systems write them."""

import unicodedata
import warnings

import numpy as np
import pytest

from ccnn_geo.datasets.base.class_folders import class_folders, split_folder, split_folders
from ccnn_geo.datasets.scenes.lidar import LidarFrames
from ccnn_geo.datasets.series.csv_series import CSVSeries
from ccnn_geo.datasets.shapes.shape_folder import ShapeFolder
from ccnn_geo.training.data.base import two_or_more
from ccnn_geo.training.data.points import PointsDataModule
from ccnn_geo.training.data.sources import has_validation
from ccnn_geo.training.same_data import refuse_other_data


def folders(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)
    return root


@pytest.mark.parametrize(
    "name", ["validation", "val", "valid", "dev", "VAL", "Validation", "development", "validate"]
)
def test_names_of_validation(tmp_path, name):
    folders(tmp_path, "Training/a", f"{name}/a", "TEST/a", "notes/b")
    assert split_folders(tmp_path) == {
        "train": tmp_path / "Training",
        "validation": tmp_path / name,
        "test": tmp_path / "TEST",
    }
    assert class_folders(tmp_path, "validation") == {"a": tmp_path / name / "a"}


def test_two_folders_of_one_split(tmp_path):
    folders(tmp_path, "train/a", "val/a", "validation")
    with pytest.raises(ValueError, match="the folders 'val' and 'validation' both mean the split validation"):
        class_folders(tmp_path, "train")


def test_a_split_without_classes_is_refused_and_not_ignored(tmp_path):
    folders(tmp_path, "train/a", "train/b", "val")
    with pytest.raises(ValueError, match=r"the same classes; in train but not in validation: 'a', 'b'$"):
        class_folders(tmp_path, "train")
    with pytest.raises(ValueError, match="val: no classes"):
        class_folders(tmp_path, "validation")
    with pytest.raises(FileNotFoundError, match="no split 'test', found train, val"):
        split_folder(tmp_path, "test")


@pytest.mark.parametrize(
    ("name", "inside"), [("eval", "x"), ("holdout", "a"), ("val2017", "a"), ("Pruefung", "a")]
)
def test_names_that_may_be_a_split_are_told(tmp_path, name, inside):
    folders(tmp_path, "train/a", "test/a", f"{name}/{inside}", "raw/other", "processed")
    with pytest.warns(
        UserWarning, match=f"not opened: {name}, not the name of a split; expected validation"
    ) as said:
        class_folders(tmp_path, "train")
    assert len(said) == 1
    folders(tmp_path, "val/a")  # nothing is missing
    class_folders(tmp_path, "train")


def write_series(root, *parts):
    for part in parts:
        for i, name in enumerate("ab"):
            folder = folders(root, f"{part}/{name}") / part / name
            for number in range(20 if part == "train" else 1):
                (folder / f"{number}.csv").write_text(f"time,v\n0,{i}\n1,{number}\n")


@pytest.mark.parametrize("name", ["val", "Valid", "dev"])
def test_training_validates_with_it(tmp_path, name):
    write_series(tmp_path, "train", name)
    assert CSVSeries(tmp_path, "validation").names == [f"{name}/a/0.csv", f"{name}/b/0.csv"]
    data = PointsDataModule("csv_series", str(tmp_path))
    data.setup("fit")
    assert len(data.train_set) == 40 and data.validation_set.names == [f"{name}/a/0.csv", f"{name}/b/0.csv"]
    assert has_validation("folder", str(tmp_path))


def test_a_validation_part_that_cannot_be_opened_is_not_replaced(tmp_path):
    write_series(tmp_path, "train", "val")
    (tmp_path / "val/a/0.csv").unlink()
    with pytest.raises(ValueError, match=r"val/a: no series, expected .csv .tsv, got no other files"):
        PointsDataModule("csv_series", str(tmp_path)).setup("fit")


def test_scans_have_the_same_splits(tmp_path):
    folders(tmp_path, "Train/velodyne", "val", "eval")
    for name in ("Train/velodyne/1.bin", "val/2.bin"):
        (np.arange(8, dtype="<f4") / 8).tofile(tmp_path / name)
    with pytest.warns(UserWarning, match="not opened: eval"):
        assert [d.name for d in LidarFrames(tmp_path, "train")] == ["Train/velodyne/1.bin"]
    (tmp_path / "eval").rmdir()
    assert [d.name for d in LidarFrames(tmp_path, "validation")] == ["val/2.bin"]


def test_one_class_whatever_its_unicode_form(tmp_path, write_box):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    assert composed != decomposed
    for place in (f"train/{decomposed}", "train/tea", f"test/{composed}", "test/tea"):
        write_box(tmp_path / place / "0.off")
    train, test = (ShapeFolder(tmp_path, split, num_samples=8, num_points=8) for split in ("train", "test"))
    assert train.classes == test.classes == [decomposed, "tea"]  # as in the first split
    assert test.names == [f"test/{composed}/0.off", "test/tea/0.off"] and test.y.tolist() == [0, 1]
    inputs = {"in_channels": 6, "dim": 3, "readout": "global"}
    refuse_other_data({"classes": [composed, "tea"], **inputs}, train.classes, inputs, "test")
    folders(tmp_path, f"train/{composed}")
    with pytest.raises(ValueError, match=r"differ only in their Unicode form, 'cafe\\u0301' and 'caf\\xe9'"):
        class_folders(tmp_path, "train")


def test_names_of_classes_can_be_printed(tmp_path):
    folders(tmp_path, "train/caf\udce9", "train/tea", "test/caf\udce9", "test/tea")
    assert list(class_folders(tmp_path, "test")) == ["caf\\udce9", "tea"]


def test_one_class_leaves_nothing_to_learn(tmp_path):
    assert two_or_more(("a", "b")) == ["a", "b"]
    with pytest.raises(ValueError, match="data: expected at least two classes, found one: 'a'"):
        two_or_more(["a"])
    (tmp_path / "train/a").mkdir(parents=True)
    (tmp_path / "train/a/0.csv").write_text("time,v\n0,1\n")
    with pytest.raises(ValueError, match="expected at least two classes, found one: 'a'"):
        PointsDataModule("csv_series", str(tmp_path)).setup("fit")


def test_a_line_is_said_once(tmp_path):
    folders(tmp_path, "train/a", "eval/a")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(3):
            class_folders(tmp_path, "train")
    (one,) = said
    assert one.filename == __file__ and str(one.message).startswith(f"{tmp_path}: not opened: eval")
