"""Labels of points: whole numbers, from one column."""

import struct

import numpy as np
import pytest

from ccnn_geo.datasets.scenes.lidar import LidarFrames
from ccnn_geo.io import MissingPoints
from ccnn_geo.io.scans.frames import read_frame
from ccnn_geo.io.scans.point_labels import whole_labels
from tests.io.las_on_disk import las_bytes

KINDS = {"float": "f", "double": "d", "uchar": "B", "char": "b", "ushort": "H", "uint64": "Q", "int64": "q"}


def ply(path, columns, text=True):
    """Points on a line; columns ``name, type, values``, after x, y, z."""
    num = len(columns[0][2])
    columns = [(axis, "float", range(num)) for axis in "xyz"] + columns
    header = f"ply\nformat {'ascii' if text else 'binary_little_endian'} 1.0\nelement vertex {num}\n"
    header += "".join(f"property {kind} {name}\n" for name, kind, _ in columns) + "end_header\n"
    rows = list(zip(*(values for *_, values in columns), strict=True))
    if text:
        body = "".join(" ".join(map(str, row)) + "\n" for row in rows).encode()
    else:
        form = "<" + "".join(KINDS[kind] for _, kind, _ in columns)
        body = b"".join(struct.pack(form, *row) for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header.encode() + body)
    return path


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("kind", ["float", "double"])
def test_whole_floats_and_none(tmp_path, kind, text):
    values = [0.0, 1.0, float("nan"), -1.0, 255.0]
    path = ply(tmp_path / "train/a.ply", [("scalar_Classification", kind, values)], text)
    assert read_frame(path).labels.tolist() == [0, 1, -1, -1, 255]
    data = LidarFrames(tmp_path, classes=[1, 0], features=["constant"])[0]
    assert data.y.tolist() == [1, 0, -1, -1, -1]


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("value", ["1.7", "0.9999999", "-0.5", "inf", "-inf", "1e20"])
def test_no_other_numbers(tmp_path, value, text):
    path = ply(tmp_path / "a.ply", [("label", "float", [1.0, 2.0, float(value), float(value)])], text)
    shown = value.replace("1e20", r"1e\+20")
    words = rf"a\.ply: label is {shown} at point 2, expected whole numbers up to 2.*; the same holds for 2 of 4 points"
    with pytest.raises(ValueError, match=words):
        read_frame(path)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("uchar", [0, 255], [0, 255]),
        ("char", [-1, 127], [-1, 127]),
        ("ushort", [0, 65535], [0, 65535]),
        ("int64", [-(2**40), 2**62], [-(2**40), 2**62]),
    ],
)
def test_integers_of_any_type(tmp_path, kind, values, expected):
    assert read_frame(ply(tmp_path / "a.ply", [("label", kind, values)], False)).labels.tolist() == expected


def test_integers_beyond_those_that_labels_are(tmp_path):
    path = ply(tmp_path / "a.ply", [("label", "uint64", [1, 2**64 - 1])], False)
    with pytest.raises(
        ValueError,
        match=r"label is 18446744073709551615 at point 1, .* below 2\^63; the same holds for 1 of 2",
    ):
        read_frame(path)
    with pytest.raises(
        ValueError, match=r"1\.6777218e\+07 at point 0, .* up to 2\^24,"
    ):  # float32 holds no 16777217
        whole_labels(path, "label", np.array([16777218], np.float32))


def test_two_columns_of_labels(tmp_path):
    columns = [("label", "uchar", [1, 2, 3]), ("scalar_Classification", "float", [4, 5, 6])]
    path = ply(tmp_path / "train/a.ply", columns)
    with pytest.raises(
        ValueError, match=r"a\.ply: labels in label and scalar_Classification.*the option 'label'"
    ):
        read_frame(path)
    for name, expected in (("label", [1, 2, 3]), ("scalar_Classification", [4, 5, 6])):
        frame = read_frame(path, label=name)
        assert frame.labels.tolist() == expected and name not in frame.fields and len(frame.fields) == 1
        assert LidarFrames(tmp_path, label=name, features=["z"])[0].y.tolist() == expected
    with pytest.raises(ValueError, match="no label 'sem', expected one of label, scalar_Classification"):
        read_frame(path, label="sem")


def test_a_column_of_another_name(tmp_path):
    path = ply(tmp_path / "train/a.ply", [("sem_class", "uchar", [1, 1, 2])])
    assert read_frame(path).labels is None and read_frame(path, label="sem_class").labels.tolist() == [
        1,
        1,
        2,
    ]
    with pytest.raises(
        ValueError,
        match=r"labels found: none \(the option 'label' names a column; those of .bin scans are .label files\)",
    ):
        LidarFrames(tmp_path, classes=[1, 2])


def test_classes_without_points(tmp_path):
    path = tmp_path / "train/a.las"
    path.parent.mkdir()
    codes = np.array([1] * 5 + [2] * 3 + [9] * 2)
    path.write_bytes(las_bytes(np.arange(30).reshape(10, 3), codes, codes, codes, codes))
    words = r"train: no points of class 0, expected some of each of classes \[0, 1\]; labels found: "
    words += r"1 \(5 points\), 2 \(3 points\), 9 \(2 points\)"
    for split in ("train", "test"):  # of the training part, whatever is opened
        (tmp_path / split).mkdir(exist_ok=True)
        (tmp_path / split / "a.las").write_bytes(path.read_bytes())
        with pytest.raises(ValueError, match=words):
            LidarFrames(tmp_path, split, classes=[0, 1])
    frames = LidarFrames(tmp_path, classes=[9, 1], tile=0.1)
    assert sorted(torch_y for d in frames for torch_y in d.y.tolist()) == [-1] * 3 + [0] * 2 + [1] * 5
    assert frames.labels_found == (
        "labels found: 1 (5 points), 2 (3 points), 9 (2 points); classes are [9, 1], others have no label"
    )
    alone = tmp_path / "train"
    assert LidarFrames(alone, None, classes=[0, 1])[0].y.tolist() == [1] * 5 + [-1] * 5  # a scan may lack one
    with pytest.raises(ValueError, match="no points of class 0, 3"):
        LidarFrames(alone, None, classes=[0, 3])


def test_points_without_a_position_are_left_out(tmp_path):
    nan = float("nan")
    path = ply(
        tmp_path / "train/a.ply", [("label", "uchar", [1, 2, 3]), ("intensity", "float", [0.1, nan, 0.3])]
    )
    path.write_text(path.read_text().replace("1 1 1 2 nan", "nan nan nan 2 nan"))
    with pytest.warns(MissingPoints, match=r"a\.ply: 1 of 3 points have NaN as position and are left out"):
        frame = read_frame(path)
    assert frame.xyz[:, 0].tolist() == [0, 2] and frame.labels.tolist() == [1, 3]
    assert frame.fields["intensity"].tolist() == [0.1, 0.3]
    rows = np.array([[0, 0, 0, 0.5], [nan, nan, nan, 0], [3, 2, 1, 0.25]], "<f4")
    rows.tofile(tmp_path / "b.bin")
    (tmp_path / "b.label").write_bytes(np.array([7, 8, 9], "<u4").tobytes())
    with pytest.warns(MissingPoints, match=r"b\.bin: 1 of 3"):
        frame = read_frame(tmp_path / "b.bin")
    assert frame.labels.tolist() == [7, 9] and frame.fields["intensity"].tolist() == [0.5, 0.25]


def test_numbers_that_are_none_are_refused_where_they_are_asked_for(tmp_path):
    """Normals and measurements of some points are NaN in what programs write, for nobody's use."""
    nan = float("nan")
    ply(tmp_path / "train/a.ply", [("nx", "float", [0, 1, 0]), ("intensity", "float", [1, 3, 5])])
    ply(tmp_path / "train/b.ply", [("nx", "float", [nan, 1, 0]), ("intensity", "float", [2, 4, 3])])
    found = np.concatenate([data.x[:, 0] for data in LidarFrames(tmp_path)])
    assert found == pytest.approx((np.array([1, 3, 5, 2, 4, 3]) - 3) / np.sqrt(10 / 6), abs=1e-6)
    for _ in range(2):  # also when what was measured is stored
        with pytest.raises(ValueError, match=r"train/b\.ply: NaN or Inf in nx, expected numbers"):
            LidarFrames(tmp_path, features=["nx"])
    raw = LidarFrames(tmp_path, features=["nx"], normalize=False)
    assert raw[0].x[:, 0].tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match=r"train/b\.ply: NaN or Inf in nx"):
        raw[1]
    with pytest.raises(ValueError, match=r"b\.ply: NaN or Inf in nx"):
        read_frame(tmp_path / "train/b.ply")
    assert np.isnan(read_frame(tmp_path / "train/b.ply", needed=["intensity"]).fields["nx"]).sum() == 1
