"""Columns of scans without a header: declared, told by the rule of a format, or refused."""

import os

import numpy as np
import pytest

from ccnn_geo.datasets.scenes.lidar import LidarFrames
from ccnn_geo.io.scans.bin_labels import label_file
from ccnn_geo.io.scans.frames import read_frame

RNG = np.random.default_rng(0)
RING = ["x", "y", "z", "intensity", "ring"]


def sweep(num=320, kind="<f4", intensity=255, more=0):
    """Rows as nuScenes stores them, and more columns."""
    xyz = RNG.uniform(-50, 50, (num, 3)) * [1, 1, 0.05]
    levels = RNG.integers(0, 256, num) * intensity / 255
    return np.column_stack([xyz, levels, np.arange(num) % 32, *RNG.uniform(0, 1, (more, num))]).astype(kind)


def put(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.tofile(path)
    return path


def same(frame, rows):
    assert np.array_equal(frame.xyz, rows[:, :3].astype(float)) and len(frame.xyz) == len(rows)
    return True


def test_a_sweep_of_nuscenes_by_its_name(tmp_path):
    rows = sweep()
    frame = read_frame(put(tmp_path / "a.pcd.bin", rows))
    assert same(frame, rows) and list(frame.fields) == ["intensity", "ring"]
    assert np.array_equal(frame.fields["ring"], rows[:, 4])


@pytest.mark.parametrize(("intensity", "more"), [(255, 0), (1, 0), (1, 1), (255, 3), (1, 3), (1, 7)])
def test_other_columns_are_not_taken_for_kitti(tmp_path, intensity, more):
    rows = sweep(intensity=intensity, more=more)
    path = put(tmp_path / "a.bin", rows)
    with pytest.raises(ValueError, match=r"a\.bin: .* of KITTI, .* expected .*option 'columns'"):
        read_frame(path)
    frame = read_frame(path, [*RING, *(f"more{i}" for i in range(more))])
    assert same(frame, rows) and np.array_equal(frame.fields["intensity"], rows[:, 3])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (sweep()[:, :3].copy(), "of KITTI, intensity goes from"),
        (sweep(kind="<f8", intensity=1)[:, :4].copy(), "a.bin: (read as|NaN or Inf|positions up to)"),
        (
            np.random.default_rng(1).uniform(0, 1, (320, 6)).astype("<f4"),
            "of KITTI, all numbers are from 0 to 1, expected metres",
        ),
        (sweep()[:, :4].copy(), "intensity goes from 0 to 255, expected from 0 to 1"),
        (
            RNG.integers(0, 32, 320).astype("u1"),
            "expected those of a scan .float32.; integers, such as labels",
        ),
        (RNG.integers(0, 260, 320).astype("<u2"), "integers, such as labels"),
        (RNG.integers(0, 260, 320).astype("<u4"), "integers, such as labels"),
        (np.zeros(320, "u1"), "integers, such as labels"),
        (np.repeat([0, 7, 255, 3, 19], 320).astype("u1"), "integers, such as labels"),  # 255: NaN as floats
        (np.repeat([-1, 4], [2048, 512]).astype("<i4"), "integers, such as labels"),
        (
            sweep(319),
            "6380 bytes, expected 16 per point: float32 x, y, z, intensity; .* the option 'columns'",
        ),
    ],
)
def test_files_that_are_no_scan_of_kitti(tmp_path, content, words):
    with pytest.raises(ValueError, match=words):
        read_frame(put(tmp_path / "a.bin", content))


def test_a_sweep_of_another_ring(tmp_path):
    rows = sweep(intensity=1)
    rows[7, 4] = 0.5
    with pytest.raises(
        ValueError, match="of nuScenes, ring goes from 0 to 31, expected whole numbers from 0 to 255"
    ):
        read_frame(put(tmp_path / "a.pcd.bin", rows))
    with pytest.raises(ValueError, match=r"320 bytes, expected 20 a point|of nuScenes"):
        read_frame(put(tmp_path / "b.pcd.bin", sweep(20)[:, :4].copy()))


def test_doubles_and_columns_that_are_not_used(tmp_path):
    rows = sweep(kind="<f8")
    frame = read_frame(put(tmp_path / "a.bin", rows), ["x", "y", "z", "_", "_"], "float64")
    assert same(frame, rows) and frame.fields == {}
    swapped = read_frame(
        put(tmp_path / "b.bin", rows[:, [3, 2, 1, 0, 4]].copy()), ["i", "z", "y", "x", "_"], "float64"
    )
    assert same(swapped, rows) and np.array_equal(swapped.fields["i"], rows[:, 3])


FINE = sweep(kind="<f8")
KINDS = {"any": FINE, "as_float32": FINE.astype("<f4").astype("<f8"), "round": np.round(FINE)}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("written", "read"), [("<f4", "float64"), ("<f8", "float32")])
def test_the_other_type_is_declared(tmp_path, name, written, read):
    """What is declared is believed where the numbers can be so."""
    path = put(tmp_path / "a.bin", KINDS[name].astype(written))
    right = {"float64": "float32", "float32": "float64"}[read]
    assert same(read_frame(path, RING, right), KINDS[name].astype(written))
    with pytest.raises(ValueError, match=f"read as {read}, .* look like {right}, .*option 'column_type'"):
        read_frame(path, RING, read)


def test_one_tiny_coordinate_does_not_hide_the_type(tmp_path):
    rows = sweep(intensity=1)[:, :4].copy()
    rows[3, 0] = 1e-8
    with pytest.raises(ValueError, match=r"read as float64, .* look like float32"):
        read_frame(put(tmp_path / "a.bin", rows), RING[:4], "float64")


@pytest.mark.parametrize("columns", [None, RING[:4]])
def test_integers_in_a_column(tmp_path, columns):
    rows = sweep(intensity=1)[:, :4].copy()
    rows[:, 3] = RNG.integers(0, 1 << 24, 320).astype("<u4").view("<f4")  # as PCL packs colours
    with pytest.raises(
        ValueError, match=r"a\.bin: intensity up to .*e-38, expected floating point; .* '?columns"
    ):
        read_frame(put(tmp_path / "a.bin", rows), columns)
    assert same(read_frame(tmp_path / "a.bin", ["x", "y", "z", "_"]), rows)


def test_a_declared_ring_that_is_none(tmp_path):
    path = put(tmp_path / "a.bin", sweep(intensity=1)[:, :4].copy())
    with pytest.raises(
        ValueError, match=r"ring goes from -.*, expected whole numbers from 0; the option 'columns' names x"
    ):
        read_frame(path, RING)


def test_points_with_normals_are_not_twice_as_many(tmp_path):
    normals = RNG.normal(size=(320, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rows = np.column_stack([sweep(intensity=1)[:, :4], normals, RNG.random(320)]).astype("<f4")
    with pytest.raises(ValueError, match="several kinds of rows alternate"):
        read_frame(put(tmp_path / "a.bin", rows))


@pytest.mark.parametrize("heights", [(-1.5, 0.5), (-1.7, 0.0), (0.25, -3.0)])
def test_two_beams_in_turn_are_one_kind(tmp_path, heights):
    rows = sweep(intensity=1)[:, :4].copy()
    rows[:, 2] = np.tile(heights, 160)
    assert same(read_frame(put(tmp_path / "a.bin", rows)), rows)


@pytest.mark.parametrize("place", ["velodyne/a.bin", "a.bin"])
def test_labels_in_a_folder_of_their_own(tmp_path, place):
    rows = sweep(intensity=1)[:, :4].copy()
    put(tmp_path / "train/labels/a.label", np.full(320, 40, "<u4"))
    assert read_frame(put(tmp_path / "train" / place, rows)).labels.tolist() == [40] * 320


def test_as_many_labels_as_rows_say_that_there_are_four_columns(tmp_path):
    rows = sweep()[:, :4].copy()
    put(tmp_path / "a.label", np.arange(320, dtype="<u4") | 1 << 16)
    frame = read_frame(put(tmp_path / "a.bin", rows))
    assert same(frame, rows) and frame.labels.tolist() == list(range(320))


def test_a_declared_column_of_labels(tmp_path):
    rows = np.column_stack([sweep(intensity=1)[:, :4], np.arange(320) % 7]).astype("<f4")
    path = put(tmp_path / "train/a.bin", rows)
    columns = [*RING[:4], "label"]
    assert read_frame(path, columns).labels.tolist() == [i % 7 for i in range(320)]
    put(tmp_path / "train/a.label", np.zeros(320, "<u4"))
    with pytest.raises(
        ValueError, match=r"labels in label and \.label, expected one column .*option 'label'"
    ):
        read_frame(path, columns)
    data = LidarFrames(tmp_path, columns=columns, label="label", classes=range(7))[0]
    assert data.y.tolist() == [i % 7 for i in range(320)]


def test_labels_of_nuscenes_are_no_scans(tmp_path):
    rows = sweep()
    put(tmp_path / "train/samples/LIDAR_TOP/a.pcd.bin", rows)
    labels = put(tmp_path / "train/lidarseg/b_lidarseg.bin", np.zeros(320, "u1"))
    frames = LidarFrames(tmp_path, features=["ring"], normalize=False)
    assert len(frames) == 1 and np.array_equal(frames[0].x[:, 0], rows[:, 4])
    with pytest.raises(ValueError, match="labels of nuScenes, judging by the name, expected a scan"):
        read_frame(labels)


def test_the_data_set_takes_columns(tmp_path):
    rows = sweep()
    put(tmp_path / "train/a.bin", rows)
    frames = LidarFrames(tmp_path, columns=RING, features=["ring", "intensity"], normalize=False)
    assert np.array_equal(frames[0].x, rows[:, [4, 3]])
    with pytest.raises(ValueError, match="of KITTI"):
        LidarFrames(tmp_path, normalize=False, unit=1)[0]


@pytest.mark.parametrize("place", ["", "velodyne", "root/train/velodyne"])
def test_labels_of_a_scan_by_a_relative_name(tmp_path, monkeypatch, place):
    rows = sweep(intensity=1)[:, :4].copy()
    put(tmp_path / "root/train/velodyne/a.bin", rows)
    put(tmp_path / "root/train/labels/a.label", np.full(320, 40, "<u4"))
    name = {"": "a.bin", "velodyne": "velodyne/a.bin"}.get(place, f"{place}/a.bin")
    monkeypatch.chdir((tmp_path / "root/train/velodyne/a.bin").parents[name.count("/")])
    for path in (name, f"./{name}", os.path.join("..", os.path.basename(os.getcwd()), name)):
        assert read_frame(path).labels.tolist() == [40] * 320
    folder = os.path.dirname(name) or "."
    assert LidarFrames(folder, None)[0].y.tolist() == [40] * 320


def test_a_bare_name_at_the_root_of_a_disk():
    assert label_file(type(label_file.__globals__["Path"]())("/no_such_scan.bin")) is None


def test_links_to_files_and_folders(tmp_path):
    rows = sweep(intensity=1)[:, :4].copy()
    put(tmp_path / "far/00/velodyne/a.bin", rows)
    put(tmp_path / "far/00/labels/a.label", np.full(320, 40, "<u4"))
    for name, target in (("a/train/00", "far/00"), ("b/train/a.bin", "far/00/velodyne/a.bin")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).symlink_to(tmp_path / target)
    (tmp_path / "far/00/back").symlink_to(tmp_path / "far")  # no end of folders
    for root in ("a", "b"):
        frames = LidarFrames(tmp_path / root, classes=[40])
        assert len(frames) == 1 and frames[0].y.tolist() == [0] * 320
