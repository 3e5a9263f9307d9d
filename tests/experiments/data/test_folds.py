"""Folds of a folder of shapes, as links."""

import os
import shutil
from itertools import chain

import numpy as np
import pytest

from ccnn_geo.experiments.data import folds, psb_folder
from ccnn_geo.experiments.data.folds import fold_folder

COUNTS = (131, 123, 19, 49, 53, 104, 35, 78, 19, 76)
"""Of the benchmark's classes."""


def names(folder):
    return {
        part: sorted(p.relative_to(folder / part).as_posix() for p in (folder / part).glob("*/*"))
        for part in folds.PARTS
    }


@pytest.fixture
def psb(tmp_path):
    """As ``psb_folder`` writes it."""
    paths = [
        f"{c}/x" for i in range(max(COUNTS)) for c, n in zip(psb_folder.CLASSES, COUNTS, strict=True) if i < n
    ]
    zeros = np.zeros((len(paths), 4, 3), np.float32)
    np.savez(tmp_path / "psb.npz", path=np.array(paths), pos=zeros, normal=zeros)
    psb_folder.main([str(tmp_path / "psb.npz"), str(tmp_path / "psb")])
    return tmp_path / "psb"


def test_folds_part_all_shapes(psb, tmp_path):
    found = [names(fold_folder(psb, tmp_path / f"fold-{i}", i)) for i in range(4)]
    assert found[3] == names(psb)
    every = sorted(chain(*names(psb).values()))
    assert sorted(chain.from_iterable(fold["validation"] for fold in found)) == every
    for fold in found:
        assert sorted(fold["train"] + fold["validation"]) == every
    assert {part: len(files) for part, files in found[3].items()} == {"train": 520, "validation": 167}


def test_a_toy_by_hand(tmp_path, capsys):
    for part, numbers in (("train", (0, 2, 3, 5)), ("validation", (1, 4))):
        (tmp_path / "root" / part / "a").mkdir(parents=True)
        for i in numbers:
            (tmp_path / "root" / part / "a" / f"{i}.npy").write_text(f"{i}")
        (tmp_path / "root" / part / "a" / "notes.md").touch()
    out = tmp_path / "out"
    folds.main([str(tmp_path / "root"), str(out), "--fold", "1"])
    assert names(out) == {
        "train": ["a/0.npy", "a/2.npy", "a/3.npy", "a/4.npy"],
        "validation": ["a/1.npy", "a/5.npy"],
    }
    assert capsys.readouterr().out == f"{out}: 4 train, 2 validation\n"
    assert [p.read_text() for p in sorted(out.glob("*/a/*"))] == ["0", "2", "3", "4", "1", "5"]
    assert all(p.is_symlink() for p in out.glob("*/a/*"))
    shutil.rmtree(tmp_path / "root")
    assert fold_folder(tmp_path / "root", out, 1) == out  # used again, as it is


def test_copies_where_there_are_no_links_and_nothing_by_halves(tmp_path, monkeypatch):
    (tmp_path / "root/train/a").mkdir(parents=True)
    for i in range(4):
        (tmp_path / f"root/train/a/{i}.npy").touch()

    def refuse(self, target):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    with monkeypatch.context() as full:
        full.setattr(shutil, "copy2", lambda *_: (_ for _ in ()).throw(OSError("disk is full")))
        with pytest.raises(OSError, match="disk is full"):
            fold_folder(tmp_path / "root", tmp_path / "out", 0)
    assert not (tmp_path / "out").exists()
    out = fold_folder(tmp_path / "root", tmp_path / "out", 0)
    assert [p.name for p in out.glob("validation/a/*")] == ["0.npy"]
    assert not any(os.path.islink(p) for p in out.glob("*/a/*"))


def test_errors_say_what_was_given_and_expected(tmp_path):
    (tmp_path / "root/train/a").mkdir(parents=True)
    (tmp_path / "root/train/a/0.npy").touch()
    with pytest.raises(ValueError, match="expected a fold from 0 to 3 of 2 or more, got 4"):
        fold_folder(tmp_path / "root", tmp_path / "out", 4)
    with pytest.raises(ValueError, match=r"expected 4 shapes or more in each class, got a \(1\)"):
        fold_folder(tmp_path / "root", tmp_path / "out", 0)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        fold_folder(tmp_path / "none", tmp_path / "out", 0)
    (tmp_path / "root/validation/a").mkdir(parents=True)
    (tmp_path / "root/validation/a/0.npy").touch()
    with pytest.raises(
        ValueError, match="expected a name once, but some of a are in train and in validation"
    ):
        fold_folder(tmp_path / "root", tmp_path / "out", 0)
