"""A folder of shapes that cannot be used: every file is named."""

import numpy as np
import pytest

from ccnn_geo.datasets import ShapeFolder
from ccnn_geo.datasets.base import conversion, processing
from ccnn_geo.io import ShapeError
from tests.datasets.shapes.shapes_in_folders import SMALL, sphere, write_shapes


@pytest.fixture
def root(tmp_path, write_box):
    write_shapes(tmp_path, write_box)
    return tmp_path


def test_damaged_stored_points_are_named(root):
    target = ShapeFolder(root, "train", **SMALL).processed_file
    for content in (target.read_bytes()[:-40], b"", b"junk"):
        target.write_bytes(content)
        with pytest.raises(
            ValueError, match=rf"{target.name}: the stored points are damaged, .*remove this file"
        ):
            ShapeFolder(root, "train", **SMALL)
    target.unlink()
    assert len(ShapeFolder(root, "train", **SMALL)) == 11


def test_unreadable_files_are_reported_together(root):
    (root / "train/box/bad1.off").write_text("OFF\n4 4 0\n0 0 0\n")
    (root / "train/box/bad2.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n")
    (root / "train/ball/bad3.npy").touch()
    with pytest.raises(ShapeError, match="3 of 14 files") as caught:
        ShapeFolder(root, "train", **SMALL)
    assert all(
        name in str(caught.value) for name in ("bad1.off", "bad2.off", "zero area", "bad3.npy", "skip")
    )
    with pytest.warns(UserWarning, match=r"3 of 14 files.*(?s:.*)left out"):
        skipped = ShapeFolder(root, "train", on_error="skip", **SMALL)
    assert len(skipped) == 11 and len(skipped.skipped) == 3
    assert len(ShapeFolder(root, "train", on_error="skip", **SMALL).skipped) == 3
    with pytest.raises(ShapeError):  # the skipping run must not satisfy the strict one
        ShapeFolder(root, "train", **SMALL)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_any_error_belongs_to_its_file(root, monkeypatch, num_workers, sent):
    if num_workers:
        sent(conversion)
    (root / "train/box/a.pcd").write_text("# .PCD")
    np.save(root / "train/ball/huge.npy", sphere() * 1e300)
    with pytest.warns(UserWarning, match=r"2 of 13 files(?s:.*)huge.npy(?s:.*)a\.pcd"):
        data = ShapeFolder(root, "train", on_error="skip", num_workers=num_workers, **SMALL)
    assert len(data) == 11
    if num_workers == 0:
        monkeypatch.setattr(processing, "read_shape", lambda path, columns: {}[str(path)])
        with pytest.raises(
            ShapeError,
            match=r"10 files cannot be used, such as .*a\.npy: KeyError when it was read, expected a sound shape\n",
        ):
            ShapeFolder(root, "test", **SMALL)


def test_nothing_readable_is_an_error_even_when_skipping(tmp_path):
    (tmp_path / "train/a").mkdir(parents=True)
    (tmp_path / "train/a/x.off").write_text("no")
    with pytest.raises(ShapeError, match="1 of 1"):
        ShapeFolder(tmp_path, "train", on_error="skip")


@pytest.mark.parametrize(
    ("prepare", "split", "error", "words"),
    [
        (lambda r: None, "val", ValueError, "train, validation, test, got 'val'"),
        (lambda r: None, "validation", FileNotFoundError, "no split 'validation', found train, test"),
        (lambda r: (r / "train/cone").mkdir(), "train", ValueError, r"in train but not in test: 'cone'$"),
        (
            lambda r: [(r / s / "cone").mkdir() for s in ("train", "test")],
            "train",
            ValueError,
            "cone: no shapes, expected ",
        ),
        (lambda r: (r / "validation").mkdir(), "validation", ValueError, "no classes"),
    ],
)
def test_wrong_folders(root, prepare, split, error, words):
    prepare(root)
    with pytest.raises(error, match=words):
        ShapeFolder(root, split)


def test_wrong_arguments(root):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        ShapeFolder(root / "nowhere", "train")
    for kwargs in (
        {"num_points": 0},
        {"num_points": 9, "num_samples": 8},
        {"num_workers": -1},
        {"on_error": "x"},
    ):
        with pytest.raises(ValueError, match="got"):
            ShapeFolder(root, "train", **kwargs)
