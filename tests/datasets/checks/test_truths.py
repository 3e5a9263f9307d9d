"""What a check says of truths: targets with their range and unit, labels of parts by category and element."""

import re

import numpy as np
import pytest

from ccnn_geo.datasets import CSVSeries
from ccnn_geo.datasets.checks.report import check_folder
from ccnn_geo.training.data.grids import GridsDataModule
from ccnn_geo.training.data.points import PointsDataModule


def rows(report):
    return dict(report.properties)


@pytest.fixture(params=["one table", "a table for each split"])
def tables(request, tmp_path):
    """Three clouds of 2, 3 and 4 points to train on, one of 5 to test."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow (extra 'parquet') is not installed")
    pq = pytest.importorskip("pyarrow.parquet")
    root = tmp_path / "mols"
    root.mkdir()
    parts = {"train": [(2, -1.5), (3, 20.0), (4, 7.25)], "test": [(5, 3.0)]}
    found = {}
    for split, some in parts.items():
        found[split] = {
            "sample": [f"{split}{i}" for i, (size, _) in enumerate(some) for _ in range(size)],
            "x": [float(k) for size, _ in some for k in range(size)],
            "y": [0.0 for size, _ in some for _ in range(size)],
            "z": [0.0 for size, _ in some for _ in range(size)],
            "height [m]": [float(k * size) for size, _ in some for k in range(size)],
            "energy [eV]": [energy for size, energy in some for _ in range(size)],
        }
    if request.param == "one table":
        whole = {name: found["train"][name] + found["test"][name] for name in found["train"]}
        pq.write_table(pa.table({**whole, "split": ["train"] * 9 + ["test"] * 5}), root / "all.parquet")
    else:
        for split, columns in found.items():
            pq.write_table(pa.table(columns), root / f"{split}.parquet")
    return root


def test_tables_have_samples_and_targets(tables):
    report = check_folder(tables, options={"targets": ["energy"]})
    assert report.problems == []
    assert report.counts == [("split", "samples"), ("train", "3"), ("test", "1")]
    assert rows(report) == {
        "format": ".parquet (4 samples)",
        "points": "2 to 5, median 3.5",
        "longest edge, in the file's unit": "1 to 4, median 2.5",
        "columns": "height, energy",
        "target energy [eV]": "-1.5 to 20, median 5.125",
    }


def test_fields_of_tables(tables):
    report = check_folder(tables, options={"point_targets": ["height [m]"]})
    assert report.problems == [] and rows(report)["target height [m]"] == "0 to 20"
    (problem,) = check_folder(tables, options={"point_targets": ["depth"]}).problems
    assert problem.startswith("4 files cannot be used, such as ")
    assert problem.endswith(".parquet/train0: no depth, the file has height, energy")


def test_tables_say_what_may_be_a_target(tables):
    (problem,) = check_folder(tables).problems
    assert "one value in each sample ('energy': --option 'targets=[energy]')" in problem
    assert "some of 'height', 'energy'" in problem
    (problem,) = check_folder(tables, options={"targets": ["height"]}).problems
    assert "several values of height, expected one at all its points" in problem


def test_fields_of_files(tmp_path):
    for split, count in (("train", 3), ("test", 1)):
        (tmp_path / split).mkdir()
        for i in range(count):
            pos = np.random.default_rng(i).normal(size=(6, 3))
            np.savez(tmp_path / split / f"{i}.npz", pos=pos, heat=np.array([np.nan, 1, 2, 3, 4, 5]) + i)
    for kind in ("clouds", None):  # the option tells them from shapes
        report = check_folder(tmp_path, kind, {"point_targets": ["heat [K]"]})
        assert report.problems == [] and rows(report)["target heat [K]"] == "1 to 7"
        assert report.command.startswith("ccnn-geo train --config fields/ccnn_4_32 --data.root")


def write_parts(path, names, write_box):
    """A box of six faces, two of one part, and the others of another."""
    write_box(path)
    lines = [names[0], "1 2", names[1], "3 4 5 6"]
    path.with_name(f"{path.stem}_labels.txt").write_text("\n".join(lines) + "\n")


def test_parts_are_told_by_category(tmp_path, write_box):
    for i in range(2):
        write_parts(tmp_path / f"train/chair/{i}.off", ("leg", "seat"), write_box)
        write_parts(tmp_path / f"train/table/{i}.off", ("leg", "top"), write_box)
    found = rows(check_folder(tmp_path))
    assert found["labels of chair, in faces"] == "leg (4), seat (8)"
    assert found["labels of table, in faces"] == "leg (4), top (8)"


def test_parts_are_of_faces_or_of_points(tmp_path, write_box):
    write_parts(tmp_path / "train/chair/0.off", ("leg", "seat"), write_box)
    np.savez(
        tmp_path / "train/chair/1.npz", pos=np.random.default_rng(0).random((30, 3)), label=np.arange(30) % 2
    )
    found = rows(check_folder(tmp_path))
    assert found["labels, in faces"] == "leg (2), seat (4)"
    assert found["labels, in points"] == "0 (15), 1 (15)"


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_series(root, split, *labels, times="0 1"):
    """A file for each string of labels, a letter or "." for each of its times."""
    for i, word in enumerate(labels):
        lines = [
            f"{time},{i},{'' if label == '.' else label}"
            for time, label in zip(times.split(), word, strict=True)
        ]
        put(root / split / f"{i}.csv", "\n".join(["time,x,state", *lines]))


@pytest.mark.parametrize(
    ("train", "test", "times", "problem"),
    [
        (
            ["aa", "a."],
            ["aa"],
            "0 1",
            "labels of times in train: expected at least two classes, found one: 'a'",
        ),
        (["..", ".."], ["aa"], "0 1", "labels of times in train: expected at least two classes, found none"),
        (
            ["aa", "bb", "ab", "ba"],
            ["ab", "ba"],
            "1 1",
            "4 files cannot be used, such as train/2.csv: the labels 'a' and 'b' at one time",
        ),
        (
            ["ab", "ba"],
            ["ac"],
            "0 1",
            "test/0.csv: the label 'c' is not in the training files, expected one of a, b",
        ),
        (["ab"], ["ab"], "0 1", "data: expected a validation set of one sample or more, csv_series has none"),
    ],
)
def test_labels_of_times_that_teach_nothing(tmp_path, train, test, times, problem):
    write_series(tmp_path, "train", *train, times=times)
    write_series(tmp_path, "test", *test, times=times)
    (found,) = check_folder(tmp_path, "series", {"label": "state"}).problems
    assert found.startswith(problem)


def test_labels_of_times_that_teach(tmp_path):
    write_series(tmp_path, "train", "a.", "nb")
    write_series(tmp_path, "val", "aa")
    report = check_folder(tmp_path, "series", {"label": "state"})
    assert report.problems == [] and rows(report)["labels, in lines"] == "none (1), a (3), b (1), n (1)"


def write_targets(root, split, head, *values):
    for i, _ in enumerate(values):
        put(root / split / f"{i}.csv", "time,x\n0,1\n1,2\n")
    put(
        root / split / "targets.csv",
        "\n".join([f"file,{head}", *(f"{i}.csv,{v}" for i, v in enumerate(values))]),
    )


def test_targets_without_a_value(tmp_path):
    write_targets(tmp_path, "train", "y,z [m]", "1,", "2,")
    write_targets(tmp_path, "val", "y,z [m]", "1,3")
    assert check_folder(tmp_path, "series").problems == [
        "targets: no value of z in the training set, expected some"
    ]
    with pytest.raises(ValueError, match="targets: no value of z in the training set, expected some"):
        CSVSeries(tmp_path).target_scale()
    assert check_folder(tmp_path, "series", {"targets": ["y"]}).problems == []


@pytest.mark.parametrize("head", ["z", "y [cm]"])
def test_targets_of_splits_differ(tmp_path, head):
    write_targets(tmp_path, "train", "y [m]", 1, 2)
    write_targets(tmp_path, "test", head, 1)
    report = check_folder(tmp_path, "series")
    (problem,) = report.problems
    assert problem.startswith(f"targets of test are {head}, those of train y [m]; expected the same")
    write_targets(tmp_path, "val", head, 1)
    data = PointsDataModule("csv_series", str(tmp_path))
    with pytest.raises(
        ValueError, match=re.escape(f"targets of validation are {head}, those of train y [m]")
    ):
        data.setup("fit")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_targets_of_which_a_split_knows_none(tmp_path, split):
    write_targets(tmp_path, "train", "y,z [m]", "1,1", "2,3")
    write_targets(tmp_path, split, "y,z [m]", ",", ",nan")
    told = f"targets: no value of y, z in the {split} set, expected some"
    report = check_folder(tmp_path, "series")
    assert report.problems == ([told] if split == "validation" else [])
    assert (f"{told}; ccnn-geo test will fail" in report.notes) == (split == "test")
    with pytest.raises(ValueError, match=told):
        PointsDataModule("csv_series", str(tmp_path)).setup("test" if split == "test" else "fit")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_one_of_the_targets_is_not_known_in_a_split(tmp_path, split):
    write_targets(tmp_path, "train", "y,z [m]", "1,1", "2,3")
    write_targets(tmp_path, split, "y,z [m]", "1,", "2,nan")
    report = check_folder(tmp_path, "series")
    told = f"targets: no value of z in the {split} set, so it does not measure them"
    assert report.problems == [] and told in report.notes
    data = PointsDataModule("csv_series", str(tmp_path))
    data.setup("test" if split == "test" else "fit")
    assert data.targets.names == ("y", "z") and data.targets.units == ("", "m")


@pytest.mark.parametrize("observed", [True, False])
def test_labels_of_times_of_which_a_split_has_none(tmp_path, observed):
    write_series(tmp_path, "train", "ab", "ba")
    write_series(tmp_path, "val", ".." if observed else "aa")
    if not observed:
        put(tmp_path / "val/0.csv", "time,x,state\n0,,a\n1,,a\n")
    told = "labels: none in the validation set, expected some"
    report = check_folder(tmp_path, "series", {"label": "state"})
    assert report.problems == [told]
    with pytest.raises(ValueError, match=told):
        PointsDataModule("csv_series", str(tmp_path), {"label": "state"}).setup("fit")


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time,x\n0,1\n1,2\n", "no column 'state', expected one with labels; found x"),
        ("time,x,state\n0,1,0.5\n1,2,a\n", "the label '0.5', expected a word or a whole number"),
    ],
)
def test_one_file_without_labels_that_can_be(tmp_path, split, text, told):
    write_series(tmp_path, "train", "ab", "ba")
    write_series(tmp_path, "val", "ab", "ba")
    put(tmp_path / split / "1.csv", text)
    (problem,) = check_folder(tmp_path, "series", {"label": "state"}).problems
    assert problem == f"{split}/1.csv: {told}"
    with pytest.raises(ValueError, match=re.escape(f"{split}/1.csv: {told}")):
        PointsDataModule("csv_series", str(tmp_path), {"label": "state"}).setup("fit")


@pytest.mark.parametrize("part", ["training", "validation"])
def test_masks_of_which_a_split_has_no_class(tmp_path, part):
    image = pytest.importorskip("PIL.Image", reason="Pillow (extra 'images') is not installed")
    put(tmp_path / "classes.txt", "field\nroad\n")
    for split in ("train", "val"):
        numbers = [255, 255] if part.startswith(split) else [0, 1]
        for name in ("images", "masks"):
            (tmp_path / split / name).mkdir(parents=True)
            pixels = np.array([numbers] * 2, np.uint8)
            image.fromarray(pixels).save(tmp_path / split / name / "0.png")
    told = f"labels: none in the {part} set, expected some"
    assert check_folder(tmp_path).problems == [told]
    data = GridsDataModule("image_folder", str(tmp_path), {"channels": 1})
    with pytest.raises(ValueError, match=told):
        data.setup("fit")


def test_a_single_sample_cannot_validate(tmp_path, write_box):
    for kind in ("box", "bar"):
        write_box(tmp_path / "train" / kind / "0.off")
    (problem,) = check_folder(tmp_path).problems
    assert problem == "data: expected a validation set of one sample or more, folder has none"
    write_box(tmp_path / "train/box/1.off")
    assert check_folder(tmp_path).problems == []
