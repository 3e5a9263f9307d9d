"""Rows that are read from a file, which others may change meanwhile."""

import os

import numpy as np
import pytest

from ccnn_geo.datasets.base.conversion import convert
from ccnn_geo.io.files.row_file import RowFile, read_numbers
from ccnn_geo.io.las import las_chunks
from ccnn_geo.io.scans.chunks import read_chunks
from ccnn_geo.io.scans.npy_file import open_npy
from ccnn_geo.io.shapes.arrays import open_array
from tests.io.las_on_disk import las_bytes

ROW = np.dtype([("x", ">f8"), ("y", "<f4"), ("z", "u1"), ("ok", "?")])
TABLE = np.arange(60.0).reshape(12, 5)


@pytest.mark.parametrize("part", [(0, None), (0, 12), (3, 4), (9, 50), (12, 3), (0, 0)])
@pytest.mark.parametrize(
    "array", [TABLE, np.asfortranarray(TABLE.astype(">i2")), np.zeros(12, ROW), TABLE[:, 0], np.zeros((0, 5))]
)
def test_rows_are_those_of_the_array(tmp_path, array, part):
    np.save(tmp_path / "a.npy", array)
    rows, (start, count) = RowFile(tmp_path / "a.npy", open_array(tmp_path / "a.npy")), part
    found = rows.read(start, count)
    assert len(rows) == len(array) and found.dtype == array.dtype
    np.testing.assert_array_equal(found, array[start:][:count])


def test_a_file_that_becomes_shorter(tmp_path):
    """The process does not end, as it would with the file mapped, and no point is lost without a word."""
    path = tmp_path / "a.npy"
    for array in (np.asfortranarray(TABLE), TABLE):
        np.save(path, array)
        scan = open_npy(path)
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(
            ValueError, match=r"a\.npy: \d+ bytes where \d+ were, expected a file that does not change"
        ):
            scan.columns()
    ones = np.ones(40, int)
    (tmp_path / "a.las").write_bytes(las_bytes(np.arange(120).reshape(40, 3), ones, ones, ones, ones))
    parts = las_chunks(tmp_path / "a.las", 15)
    next(parts)
    os.truncate(tmp_path / "a.las", 700)
    with pytest.raises(ValueError, match=r"a\.las: \d+ bytes where \d+ were"):
        list(parts)
    (tmp_path / "a.label").write_bytes(bytes(10))
    with pytest.raises(ValueError, match=r"a\.label: 6 bytes where 12 were"):
        read_numbers(tmp_path / "a.label", np.dtype("<u4"), 3, 4)


def test_a_file_beside_another_that_vanishes_is_the_one_that_is_named(tmp_path, monkeypatch):
    points = np.random.default_rng(0).uniform(1, 40, (20, 4)).astype("<f4")
    points[:, 3] /= 40
    points.tofile(tmp_path / "a.bin")
    monkeypatch.setattr(
        "ccnn_geo.io.scans.chunks.read_labels",
        lambda *_: read_numbers(tmp_path / "a.label", np.dtype("<u4"), 3),
    )

    def merge(found):
        raise ValueError(*found.errors)

    with pytest.raises(ValueError, match=r"/a\.label: cannot be opened \(No such file"):
        convert(
            lambda path: {"n": np.array(len(list(read_chunks(path))))},
            ([tmp_path / "a.bin"],),
            tmp_path / "out",
            merge,
            title="",
        )
