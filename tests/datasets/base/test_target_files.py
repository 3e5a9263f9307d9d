"""Tables of targets beside files of any kind: which file is of which split, and what is known of it."""

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from ccnn_geo.datasets import CSVSeries, ImageFolder, WavFolder
from ccnn_geo.datasets.base.target_files import TargetFiles, has_targets
from ccnn_geo.io.files.sample_files import FileKind
from ccnn_geo.training.data.grids import GridsDataModule
from ccnn_geo.training.data.points import PointsDataModule

pil = pytest.importorskip("PIL.Image")
NOTES = FileKind("notes", (".note",), with_targets=True)


def image(path, seed):
    pil.fromarray(np.full((4, 4), 10 * seed, np.uint8)).save(path)


def recording(path, seed):
    wavfile.write(path, 8000, np.full(50, 100 * (seed + 1), np.int16))


def series(path, seed):
    path.write_text(f"time,level\n0,{seed}\n1,{seed + 1}\n")


KINDS = {
    ".png": (ImageFolder, image, GridsDataModule),
    ".wav": (WavFolder, recording, GridsDataModule),
    ".csv": (CSVSeries, series, PointsDataModule),
}


@pytest.fixture(params=KINDS, ids=str)
def kind(request, tmp_path):
    """A data set, the extension of its files, and its data module; files in train and test, with a table for each."""
    cls, write, module = KINDS[request.param]
    for split, count in (("train", 5), ("test", 2)):
        (tmp_path / split).mkdir()
        rows = ["name,file,size [m],mass"]
        for i in range(count):
            write(tmp_path / split / f"{i}{request.param}", i)
            rows.append(f"some words,{i}{request.param},{1.5 * i},{'' if i == 1 else 100 + i}")
        (tmp_path / split / "targets.csv").write_text("\n".join(rows))
    return cls, request.param, module


def test_targets_are_those_of_the_files(kind, tmp_path):
    cls, extension, module = kind
    assert cls.truths(tmp_path, {}) == ("regression", "global")
    data = cls(tmp_path, "test", targets=["size", "mass"])
    assert data.names == [f"test/{i}{extension}" for i in range(2)] and data.classes == []
    truths = torch.cat([(s[1][None] if isinstance(s, tuple) else s.y) for s in data])
    assert truths.dtype == torch.float32
    np.testing.assert_allclose(truths, [[0, 100], [1.5, np.nan]])
    train = cls(tmp_path, targets=["size"])
    scale = train[[0, 1, 4]].target_scale()
    assert (scale.names, scale.units) == (("size",), ("m",))
    assert (scale.mean[0], scale.std[0]) == pytest.approx((2.5, np.std([0, 1.5, 6])))

    opened = module(cls.info.name, str(tmp_path), {"targets": ["size"]}, batch_size=2)
    opened.setup("fit")
    assert (opened.task, opened.readout, opened.targets.names) == ("regression", "global", ("size",))
    batch = next(iter(opened.train_dataloader()))
    y = batch[1] if isinstance(batch, list) else batch.y
    assert y.shape == (2, 1) and set(y.flatten().tolist()) <= {0, 1.5, 3, 4.5, 6}


def test_a_change_of_the_table_counts(kind, tmp_path):
    cls, extension, _ = kind
    cls(tmp_path, targets=["size"])
    (tmp_path / "train/targets.csv").write_text(f"file,size\n3{extension},7\n0{extension},-2\n")
    with pytest.warns(
        UserWarning, match=rf"left out: 3 .* without a row in targets.csv, such as 1{extension}"
    ):
        data = cls(tmp_path)
    assert data.y.tolist() == [[7], [-2]] and data.names[0] == f"train/3{extension}"


def notes(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_one_table_for_all(tmp_path):
    """By a column, by folders of splits, or by the names of the files."""
    names = [f"all/{i:02d}.note" for i in range(20)]
    notes(tmp_path, *names)
    assert not has_targets(tmp_path) and not has_targets(tmp_path / "nowhere")
    rows = [f"{name},{'val' if i < 3 else 'training'},{i}" for i, name in enumerate(names)]
    (tmp_path / "targets.csv").write_text("\n".join(["file,split,a", *rows]))
    layout = TargetFiles(tmp_path, NOTES)
    assert layout.splits == ["train", "validation"] and has_targets(tmp_path)
    assert layout.part("validation").y.tolist() == [[0], [1], [2]]
    (tmp_path / "targets.csv").write_text("\n".join(["file,a", *(f"{n},{i}" for i, n in enumerate(names))]))
    with pytest.warns(UserWarning, match="20 files are split by their names"):
        layout = TargetFiles(tmp_path, NOTES)
        parts = {split: layout.part(split) for split in layout.splits}
    assert {split: len(part.samples) for split, part in parts.items()} == {
        "train": 14,
        "validation": 3,
        "test": 3,
    }
    for part in parts.values():
        assert [float(y) for y in part.y[:, 0]] == [int(path.stem) for path in part.paths]
    notes(tmp_path, "train/a.note", "test/a.note")
    (tmp_path / "targets.csv").write_text("file,a\ntrain/a.note,1\ntest/a.note,2\n")
    layout = TargetFiles(tmp_path, NOTES)
    assert [layout.part(split).y.tolist() for split in ("train", "test")] == [[[1]], [[2]]]


@pytest.mark.parametrize("table", ["train/targets.csv", "targets.csv"])
def test_files_without_a_row_are_counted(tmp_path, table):
    notes(
        tmp_path,
        *(f"train/{i}.note" for i in range(4)),
        "train/deep/a.note",
        "train/.b.note",
        "processed/c.note",
    )
    inside = "" if "/" in table else "train/"
    (tmp_path / table).write_text(f"file,a\n{inside}1.note,1\n{inside}2.note,2\n")
    with pytest.warns(UserWarning) as said:
        assert TargetFiles(tmp_path, NOTES).part("train").y.tolist() == [[1], [2]]
    (line,) = said
    assert (
        str(line.message)
        == f"{tmp_path}/train: left out: 3 notes without a row in targets.csv, such as 0.note"
    )


def test_files_without_a_row_beside_the_table(tmp_path):
    notes(tmp_path, "a.note", "b.note", "all/c.note", "processed/d.note")
    (tmp_path / "targets.csv").write_text("file,split,a\na.note,train,1\nb.note,test,2\n")
    layout = TargetFiles(tmp_path, NOTES)
    with pytest.warns(UserWarning) as said:
        assert [layout.part(split).y.tolist() for split in ("train", "test")] == [[[1]], [[2]]]
    (line,) = said
    assert (
        str(line.message) == f"{tmp_path}: left out: 1 notes without a row in targets.csv, such as all/c.note"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,a\na.txt,1\n", r"a\.txt is not a file of notes, expected \.note"),
        ("file,a\nb.note,1\n", r"b\.note: no such file, but .*targets\.csv lists it"),
        ("file,split,a\na.note,some,1\n", "the split 'some', expected one of train"),
        ("file,split,a\na.note,test,1\n", "no split 'train', found test"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    notes(tmp_path, "a.note", "a.txt")
    (tmp_path / "targets.csv").write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=message), pytest.MonkeyPatch.context() as patch:
        patch.setattr("ccnn_geo.datasets.base.target_files.told_split", lambda *_: {"train": [0]})
        TargetFiles(tmp_path, NOTES).part("train")
