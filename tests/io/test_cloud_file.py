import numpy as np
import pytest

from ccnn_geo.io.cloud_file import read_cloud

POS = np.arange(12.0).reshape(4, 3)


def test_columns_of_an_archive(tmp_path):
    fields = {"z": np.array([1, 6, 6, 8], np.uint8), "force": np.ones((4, 2)), "name": np.array("water")}
    np.savez(tmp_path / "a.npz", pos=POS.astype(np.float32), energy=np.array([1.0]), **fields)
    cloud = read_cloud(tmp_path / "a.npz")
    np.testing.assert_array_equal(cloud.pos, POS)
    assert list(cloud.fields) == ["z", "force_0", "force_1"]  # a number of the whole is no column
    np.testing.assert_array_equal(cloud.fields["z"], [1, 6, 6, 8])


def test_columns_that_are_not_there(tmp_path):
    np.savez(
        tmp_path / "a.npz", pos=POS, z=np.ones(4), q=np.ones(3), force=np.ones((5, 2)), energy=np.array(1.0)
    )
    cloud = read_cloud(tmp_path / "a.npz")
    cloud.check_columns("a", ["z"])
    for name, message in {
        "q": r"a: q \[3\], expected 4 rows, one per point",
        "force_1": r"a: force_1 \[5, 2\], expected 4 rows",
        "energy": r"a: energy \[\], expected 4 rows",
        "w": "a: no w, the file has z",
    }.items():
        with pytest.raises(ValueError, match=message):
            cloud.check_columns("a", ["z", name])


def test_properties_of_a_ply(tmp_path):
    header = "ply\nformat ascii 1.0\nelement vertex 2\n"
    names = "".join(f"property float {name}\n" for name in ("x", "y", "z", "height"))
    (tmp_path / "a.ply").write_text(f"{header}{names}end_header\n0 1 2 3.5\n4 5 6 nan\n")
    cloud = read_cloud(tmp_path / "a.ply")
    np.testing.assert_array_equal(cloud.pos, [[0, 1, 2], [4, 5, 6]])
    np.testing.assert_array_equal(cloud.fields["height"], [3.5, np.nan])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": np.ones(3)}, "expected numbers pos"),
        ({"pos": np.ones(3)}, r"got \[3\] of float64"),
        ({"pos": np.ones((3, 4))}, r"got \[3, 4\]"),
        ({"pos": np.ones((0, 3))}, r"got \[0, 3\]"),
        ({"pos": np.full((2, 3), np.nan)}, "NaN, Inf or numbers beyond"),
    ],
)
def test_archives_that_are_no_cloud(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        read_cloud(tmp_path / "a.npz")


def test_other_files(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ValueError, match=r"a\.npz: damaged"):
        read_cloud(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"unknown extension '\.off', expected one of \.npz \.parquet \.las"):
        read_cloud(tmp_path / "a.off")
