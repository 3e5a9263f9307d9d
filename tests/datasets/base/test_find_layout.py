"""Files as people sort them: by split, by class, by a table, or not at all."""

import hashlib
import shutil

import numpy as np
import pytest

from ccnn_geo.datasets.audio.wav_folder import WavFolder
from ccnn_geo.datasets.base.automatic_split import split_by_name
from ccnn_geo.datasets.base.find_layout import find_layout, found_splits, labelled_files
from ccnn_geo.datasets.images.image_folder import ImageFolder
from ccnn_geo.datasets.series.csv_series import CSVSeries
from ccnn_geo.datasets.shapes.shape_folder import ShapeFolder
from ccnn_geo.io.files.sample_files import FileKind
from ccnn_geo.training.data.points import PointsDataModule
from ccnn_geo.training.data.shapes import ShapesDataModule

SERIES = FileKind("series", (".csv",))
NOTES = FileKind("notes", (".md",), second=(".txt",))


def write(root, *names, text="time,v\n0,1\n1,2\n"):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def names(root, part):
    return [(path.relative_to(root).as_posix(), part.classes[label]) for path, label in part.samples]


def test_classes_first_is_the_same_as_splits_first(tmp_path):
    files = [("train", "bed", "1"), ("train", "sofa", "2"), ("TEST", "bed", "3"), ("TEST", "sofa", "4")]
    a = write(tmp_path / "a", *[f"{split}/{name}/{i}.csv" for split, name, i in files])
    b = write(tmp_path / "b", *[f"{name}/{split}/{i}.csv" for split, name, i in files])
    for split in ("train", "test"):
        one, other = (labelled_files(root, split, SERIES) for root in (a, b))
        assert one.classes == other.classes == ["bed", "sofa"]
        assert [(p.name, label) for p, label in one.samples] == [
            (p.name, label) for p, label in other.samples
        ]
    assert found_splits(b, SERIES) == ["train", "test"] and find_layout(b, SERIES).told == "<class>/<split>"
    assert np.allclose(CSVSeries(a, "test")[1].x, CSVSeries(b, "test")[1].x)
    with pytest.raises(FileNotFoundError, match="no split 'validation', found train, test"):
        labelled_files(b, "validation", SERIES)
    with pytest.raises(ValueError, match="split must be one of"):
        labelled_files(b, "val", SERIES)


def test_classes_first_must_agree(tmp_path):
    write(tmp_path, "bed/train/1.csv", "sofa/train/2.csv", "sofa/test/3.csv")
    with pytest.raises(ValueError, match="the same splits; 'bed' has train, 'sofa' has train, test"):
        find_layout(tmp_path, SERIES)
    write(tmp_path, "bed/test/4.csv", "bed/extra/5.csv", "notes/6.csv")
    with pytest.raises(
        ValueError, match="folders of splits in 'bed', 'sofa', none in 'notes'; expected them in"
    ):
        find_layout(tmp_path, SERIES)
    shutil.rmtree(tmp_path / "notes")
    with pytest.warns(UserWarning, match="not opened: 'bed/extra', not the name of a split"):
        assert find_layout(tmp_path, SERIES).splits == ["train", "test"]


def test_files_of_classes_are_split_by_their_names(tmp_path):
    write(
        tmp_path, *[f"{name}/{i}.csv" for name in ("calm", "storm") for i in range(20)], "processed/old.csv"
    )
    with pytest.warns(
        UserWarning, match="40 files of 2 classes are split by their names.*28 train, 6 validation, 6"
    ):
        parts = {split: labelled_files(tmp_path, split, SERIES) for split in found_splits(tmp_path, SERIES)}
    assert list(parts) == ["train", "validation", "test"]
    for name in ("calm", "storm"):  # the oracle: sorted by the hash of the name
        drawn = sorted(
            (f"{name}/{i}.csv" for i in range(20)), key=lambda n: hashlib.sha256(n.encode()).digest()
        )
        expected = {"test": drawn[:3], "validation": drawn[3:6], "train": drawn[6:]}
        for split, part in parts.items():
            assert [n for n, label in names(tmp_path, part) if label == name] == sorted(expected[split])
    data = PointsDataModule("csv_series", str(tmp_path))
    data.setup("fit")
    assert (len(data.train_set), len(data.validation_set)) == (28, 6)
    data.setup("test")
    assert len(data.test_set) == 6


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (100, (70, 15, 15))]
)
def test_small_classes(count, sizes):
    files = [(f"a/{i}", 0) for i in range(count)] + [(f"b/{i}", 1) for i in range(50)]
    parts = split_by_name(files)
    assert tuple(sum(i < count for i in parts[name]) for name in parts) == sizes
    assert sorted(i for part in parts.values() for i in part) == list(range(len(files)))
    turned = split_by_name(files[::-1])
    assert {files[::-1][i] for i in turned["test"]} == {files[i] for i in parts["test"]}


def test_unicode_forms_of_a_name_are_one():
    composed, decomposed = ([(f"caf{e}/{i}", 0) for i in range(30)] for e in ("\u00e9", "e\u0301"))
    assert split_by_name(composed) == split_by_name(decomposed)


def test_a_table_of_files_and_labels(tmp_path):
    write(tmp_path, *[f"all/{i}.csv" for i in range(4)])
    table = "Label;Split;Filename;remark\nwet;train;all/0.csv;a, b\ndry;training;all/1.csv;\n"
    (tmp_path / "labels.csv").write_text(table + "dry;val;all/2.csv;\nwet;test;all/3.csv;\n")
    assert found_splits(tmp_path, SERIES) == ["train", "validation", "test"]
    assert names(tmp_path, labelled_files(tmp_path, "train", SERIES)) == [
        ("all/1.csv", "dry"),
        ("all/0.csv", "wet"),
    ]
    assert names(tmp_path, labelled_files(tmp_path, "validation", SERIES)) == [("all/2.csv", "dry")]
    assert CSVSeries(tmp_path).classes == ["dry", "wet"] and CSVSeries(tmp_path, "test").names == [
        "all/3.csv"
    ]


def test_a_table_without_splits_and_with_numbers(tmp_path):
    write(tmp_path, *[f"{i}.csv" for i in range(40)])
    rows = "".join(f"{i}.csv\t{(8, 10)[i % 2]}\n" for i in range(40))
    (tmp_path / "files.tsv").write_text("path\tclass\n" + rows)
    with pytest.warns(UserWarning, match=r"the files of files.tsv without splits; 40 files of 2 .*28 train"):
        part = labelled_files(tmp_path, "train", SERIES)
    assert part.classes == ["8", "10"] and [label for _, label in part.samples] == [0] * 14 + [1] * 14


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("a,b\n1,2\n", "header 'a,b' .* expected columns 'file' and 'label'"),
        ("", "header '' .* expected columns"),
        ("file,label\n", "no lines below the header"),
        ("file,label\n0.csv\n", "line 2: 1 cells, expected 2"),
        ("file,label\n0.csv,\n", "line 2: '0.csv' has the label '', expected both"),
        ("file,label,split\n0.csv,a,eval\n", "line 2: the split 'eval', expected one of train"),
        ("file,label\n0.csv,a\n0.csv,b\n", "1 of 2 files listed twice, expected once, such as .*0.csv"),
        (
            "file,label\n8.csv,a\n9.csv,b\n",
            "2 of 2 files not there, expected files below the root, such as .*8.csv",
        ),
        ("file,label\n0.csv,a\n0.png,b\n", "1 of 2 files not series, expected .csv, such as .*0.png"),
        ("file,label\n../x.csv,a\n", "1 of 1 files outside of"),
        ("file,label\n/etc/x.csv,a\n", "1 of 1 files outside of"),
        ("file,class,label,category\n0.csv,a,b,c\n", None),  # the exact name counts
        ("file,class,category\n0.csv,b,c\n", "expected columns 'file' and 'label'"),
    ],
)
def test_tables_that_are_refused(tmp_path, table, words):
    write(tmp_path, "0.csv")
    (tmp_path / "labels.csv").write_text(table)
    if words is None:
        with pytest.warns(UserWarning, match="without splits"):
            assert labelled_files(tmp_path, "train", SERIES).classes == ["b"]
        return
    with pytest.raises(ValueError, match=words):
        labelled_files(tmp_path, "train", SERIES)


def test_two_tables_and_a_table_beside_folders(tmp_path):
    write(tmp_path, "train/a/1.csv", "train/b/2.csv")
    (tmp_path / "labels.csv").write_text("file,label\ntrain/a/1.csv,c\n")
    with pytest.warns(UserWarning, match="labels.csv: not read, folders of splits and classes"):
        assert labelled_files(tmp_path, "train", SERIES).classes == ["a", "b"]
    (tmp_path / "files.csv").write_text("file,label\n")
    with pytest.raises(ValueError, match=r"tables 'files.csv', 'labels.csv', expected one"):
        find_layout(tmp_path, SERIES)


def test_folders_that_are_no_layout(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        find_layout(tmp_path / "nowhere", SERIES)
    with pytest.raises(FileNotFoundError, match="no split 'train', found none"):
        labelled_files(tmp_path, "train", SERIES)
    write(tmp_path, "archive/train/a/1.csv", "archive/test/a/2.csv")
    with pytest.raises(FileNotFoundError, match=r"one folder, 'archive', .*Is .*archive the root\?"):
        find_layout(tmp_path, SERIES)
    with pytest.raises(
        FileNotFoundError, match=f"no split 'train', found none; .* or for the root {tmp_path}/archive"
    ):
        labelled_files(tmp_path / "archive/train", "train", SERIES)
    write(tmp_path, "Lernen/a/1.csv", "Lernen/b/1.csv")
    shutil.rmtree(tmp_path / "archive")
    write(tmp_path, "Probe/a/1.csv", "Probe/b/1.csv")
    with pytest.raises(ValueError, match=r"Lernen: no series, expected .csv, got 2 files in subfolders"):
        labelled_files(tmp_path, "train", SERIES)


def test_notes_beside_samples_are_no_samples(tmp_path):
    write(tmp_path, "train/a/1.md", "train/a/1.txt", "train/b/2.txt", "train/b/README.txt")
    told = r"left out: 1 .txt file \(in the folder 'a'\); expected .md, or without any of these .txt$"
    with pytest.warns(UserWarning, match=told):
        part = labelled_files(tmp_path, "train", NOTES)
    assert names(tmp_path, part) == [("train/a/1.md", "a"), ("train/b/2.txt", "b")]


def test_every_kind_of_data_reads_them(tmp_path, write_box):
    from PIL import Image
    from scipy.io import wavfile

    for number in range(4):
        for name in ("x", "y"):
            for kind in ("shapes", "images", "waves"):
                (tmp_path / kind / name / "train").mkdir(parents=True, exist_ok=True)
            write_box(tmp_path / f"shapes/{name}/train/{number}.off")
            Image.new("L", (4, 4), number).save(tmp_path / f"images/{name}/train/{number}.png")
            wavfile.write(tmp_path / f"waves/{name}/train/{number}.wav", 8000, np.arange(100, dtype=np.int16))
    shapes = ShapeFolder(tmp_path / "shapes", "train", num_samples=8, num_points=8)
    for data in (shapes, ImageFolder(tmp_path / "images"), WavFolder(tmp_path / "waves")):
        assert data.names[3:5] == [f"x/train/3.{data.names[0][-3:]}", f"y/train/0.{data.names[0][-3:]}"]
        assert data.classes == ["x", "y"] and data.y.tolist() == [0] * 4 + [1] * 4
    module = ShapesDataModule("folder", str(tmp_path / "shapes"), num_points=8, num_samples=8)
    module.setup("fit")
    assert len(module.train_set) == 6 and len(module.validation_set) == 2
