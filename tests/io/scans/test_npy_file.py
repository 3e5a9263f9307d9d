"""Scans in .npy: named columns, declared columns, and what an answer keeps of them."""

import numpy as np
import pytest

from ccnn_geo.io.scans.chunks import read_chunks
from ccnn_geo.io.scans.frames import read_frame
from ccnn_geo.io.scans.npy_file import open_npy
from ccnn_geo.io.scans.write import write_answer

RNG = np.random.default_rng(0)
ROW = np.dtype([("time", "<i8"), ("x", ">f8"), ("y", "<f4"), ("z", "<f4"), ("label", "u1"), ("ok", "?")])


def named_rows():
    rows = np.zeros(50, ROW)
    for name in "xyz":
        rows[name] = RNG.normal(size=50)
    rows["time"], rows["label"] = np.arange(50) + 2**40, np.arange(50) % 3
    return rows


def test_named_columns(tmp_path):
    rows = named_rows()
    np.save(tmp_path / "a.npy", rows)
    frame = read_frame(tmp_path / "a.npy")
    np.testing.assert_array_equal(frame.xyz, np.stack([rows[name] for name in "xyz"], axis=1))
    np.testing.assert_array_equal(frame.labels, rows["label"])
    assert list(frame.fields) == ["time", "ok"]
    parts = list(read_chunks(tmp_path / "a.npy", at_once=17))
    np.testing.assert_array_equal(np.concatenate([part.frame.xyz for part in parts]), frame.xyz)
    assert [part.end for part in parts] == [17, 34, 50]


@pytest.mark.parametrize(
    ("width", "columns", "fields"),
    [
        (3, None, []),
        (4, None, ["intensity"]),
        (6, None, ["column_4", "column_5", "column_6"]),
        (5, ["x", "y", "_", "z", "height"], ["height"]),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_declared_columns(tmp_path, width, columns, fields, order):
    numbers = RNG.random((40, width))
    np.save(tmp_path / "a.npy", np.asarray(numbers, order=order))
    frame = read_frame(tmp_path / "a.npy", columns)
    names = columns or ["x", "y", "z", *fields]
    for axis, values in zip("xyz", frame.xyz.T, strict=True):
        np.testing.assert_array_equal(values, numbers[:, names.index(axis)])
    assert list(frame.fields) == fields
    for name in fields:
        np.testing.assert_array_equal(frame.fields[name], numbers[:, names.index(name)])


@pytest.mark.parametrize("named", [True, False])
def test_whole_numbers_are_scaled_as_in_other_scans(tmp_path, named):
    """numpy's integers have 64 bits; a colour of the last part says that none is of 8."""
    numbers = RNG.integers(0, 200, (40, 5))
    numbers[-1, 4], names = 60_000, ["x", "y", "z", "intensity", "red"]
    rows = np.array([tuple(row) for row in numbers], [(name, "<i8") for name in names])
    np.save(tmp_path / "a.npy", rows if named else numbers)
    columns = None if named else names
    parts = [part.frame for part in read_chunks(tmp_path / "a.npy", columns, at_once=17)]
    for frames in ([read_frame(tmp_path / "a.npy", columns)], parts):
        for name, expected in zip(names[3:], numbers.T[3:] / 65535, strict=True):
            assert np.array_equal(np.concatenate([frame.fields[name] for frame in frames]), expected)
    unasked = next(read_chunks(tmp_path / "a.npy", columns, needed=["intensity"], at_once=17)).frame
    assert np.array_equal(unasked.fields["intensity"], numbers[:17, 3] / 65535)


@pytest.mark.parametrize("named", [True, False])
def test_an_answer_keeps_all_columns(tmp_path, named):
    rows = named_rows() if named else RNG.random((50, 4)).astype(np.float32)
    np.save(tmp_path / "a.npy", rows)
    label, probability = np.arange(50, dtype=np.int32), RNG.random(50, dtype=np.float32)
    write_answer(tmp_path / "a.npy", tmp_path / "b.npy", label, probability)
    found = np.load(tmp_path / "b.npy")
    assert found.dtype.names[-2:] == ("predicted", "probability")
    np.testing.assert_array_equal(found["predicted"], label)
    np.testing.assert_array_equal(found["probability"], probability)
    for i, name in enumerate(found.dtype.names[:-2]):
        np.testing.assert_array_equal(found[name], rows[name] if named else rows[:, i])
        assert found.dtype[name] == (rows.dtype[name] if named else rows.dtype)
    again = read_frame(tmp_path / "b.npy")  # an answer is a scan
    assert "predicted" in again.fields and len(again.xyz) == 50
    with pytest.raises(ValueError, match=r"expected \.npy for the prediction of a\.npy, got '\.ply'"):
        write_answer(tmp_path / "a.npy", tmp_path / "b.ply", label, probability)


@pytest.mark.parametrize(
    ("array", "columns", "message"),
    [
        (np.zeros((5, 2)), None, r"an array \[5, 2\] of float64, expected a scan"),
        (np.zeros(5), None, r"an array \[5\]"),
        (np.zeros((5, 3), "c8"), None, "of complex64"),
        (np.zeros(5, [("x", "f4"), ("y", "f4")]), None, "of x, y, expected"),
        (np.zeros(5, [("x", "f4", 3), ("y", "f4"), ("z", "f4")]), None, r"\[5\] of x, y, z, expected"),
        (np.zeros((5, 5)), ["x", "y", "z", "intensity"], "5 columns, the option 'columns' names 4"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, columns, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match=message):
        open_npy(tmp_path / "a.npy", columns)
