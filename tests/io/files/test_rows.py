"""Rows in a file without a name: what was written is read, and nothing stays behind."""

import numpy as np
import pytest

from ccnn_geo.io.files.rows import FileRows


@pytest.mark.parametrize(
    "dtype", [np.float32, ("f4", (3,)), [("xyz", "f8", 3), ("fields", "f4", (0,)), ("place", "i8")]]
)
def test_slices_are_those_of_an_array(tmp_path, dtype):
    rows, array = FileRows(tmp_path, dtype, 50), np.zeros(50, dtype)
    rng = np.random.default_rng(0)
    for start, stop in ((3, 20), (10, 30), (45, 50), (7, 7)):
        some = np.zeros(stop - start, dtype)
        for part in (some[name] for name in some.dtype.names) if some.dtype.names else (some,):
            part[...] = rng.integers(0, 99, part.shape)
        rows[start:stop], array[start:stop] = some, some
    assert len(rows) == 50 and np.array_equal(rows[0:50], array) and np.array_equal(rows[5:12], array[5:12])
    assert np.array_equal(rows.scattered(), array) and list(tmp_path.iterdir()) == []


def test_scattered_rows_outlive_the_object(tmp_path):
    found = FileRows(tmp_path, np.int32, 10).scattered()
    found[[7, 2]] = [5, 6]
    assert found.tolist() == [0, 0, 6, 0, 0, 0, 0, 5, 0, 0]


def test_a_full_disk_is_said_with_the_folder(tmp_path, monkeypatch):
    class Full:
        def seek(self, place):
            pass

        def write(self, content):
            raise OSError(28, "No space left on device")

    rows = FileRows(tmp_path, np.int32, 10)
    monkeypatch.setattr(rows, "_file", Full())
    with pytest.raises(OSError, match=rf"intermediate results cannot be written: No space.*{tmp_path.name}"):
        rows[0:2] = 1
