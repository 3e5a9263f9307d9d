"""Scans as data sets: three formats, labels, tiles, voxels, and a network on them."""

import numpy as np
import pytest
import torch
import trimesh
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from ccnn_geo import CCNN
from ccnn_geo.datasets.registry import dataset_class
from ccnn_geo.datasets.scenes import lidar_scans
from ccnn_geo.datasets.scenes.lidar import LidarFrames
from ccnn_geo.io.scans.frames import read_frame
from ccnn_geo.transforms.scan_points import thin
from tests.io.las_on_disk import las_bytes

RNG = np.random.default_rng(0)


def write_bin(path, num=200, labels=None):
    rows = RNG.uniform(-40, 40, (num, 4)).astype("<f4")
    rows[:, 3] = RNG.uniform(0, 1, num)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.tofile(path)
    if labels is not None:
        labels.parent.mkdir(parents=True, exist_ok=True)
        np.array([(7 << 16) | (i % 3 * 10) for i in range(num)], dtype="<u4").tofile(labels)
    return rows


def write_las(path, num=300, offset=(483_000.0, 5_200_000.0, 300.0), **kwargs):
    """Ten by ten metres, far from the origin."""
    grid = RNG.integers(0, 1000, (num, 3))
    columns = RNG.integers(0, 65536, num), 1 + np.arange(num) % 2, np.full(num, 2), 2 + np.arange(num) % 4
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(las_bytes(grid, *columns, offset=offset, scale=0.01, **kwargs))
    return grid * 0.01 + offset, columns


def write_ply(path, text=False, num=60):
    kind = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("reflectance", "<f4"), ("label", "<i4")]
    rows = np.zeros(num, dtype=kind)
    for name in ("x", "y", "z", "reflectance"):
        rows[name] = RNG.normal(size=num).round(4)
    rows["red"], rows["label"] = RNG.integers(0, 256, num), np.arange(num) % 5
    names = {"<f4": "float", "u1": "uchar", "<i4": "int"}
    header = f"ply\nformat {'ascii' if text else 'binary_little_endian'} 1.0\nelement vertex {num}\n"
    header += "".join(f"property {names[t]} {n}\n" for n, t in kind) + "end_header\n"
    body = (
        "".join(" ".join(str(v) for v in row.tolist()) + "\n" for row in rows).encode()
        if text
        else rows.tobytes()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header.encode() + body)
    return rows


def back(data, unit=1.0):
    return data.pos.double() * unit + data.origin


def test_velodyne_frames_with_labels(tmp_path):
    rows = write_bin(tmp_path / "train/velodyne/000000.bin", labels=tmp_path / "train/labels/000000.label")
    beside = write_bin(
        tmp_path / "train/velodyne/000001.bin", 70, labels=tmp_path / "train/velodyne/000001.label"
    )
    write_bin(tmp_path / "train/velodyne/000002.bin")
    frames = LidarFrames(tmp_path, classes=(20, 10), normalize=False, unit=40)
    assert type(frames) is dataset_class("lidar") and len(frames) == 3
    assert (frames.num_classes, frames.in_channels) == (2, 1)
    data = frames[0]
    assert data.pos.dtype == data.x.dtype == torch.float32 and data.x.shape == (200, 1)
    assert np.allclose(back(data, 40), rows[:, :3], atol=1e-5) and np.array_equal(data.x[:, 0], rows[:, 3])
    assert data.pos.abs().max() <= 1 and data.name == "train/velodyne/000000.bin"
    assert data.y.tolist() == [(-1, 1, 0)[i % 3] for i in range(200)]  # the upper half is an object's number
    assert LidarFrames(tmp_path)[1].y.tolist() == [i % 3 * 10 for i in range(70)] and len(beside) == 70
    with pytest.warns(UserWarning, match=r"000002\.bin: no labels, unlike other scans; its points get -1"):
        unlabelled = frames[2]
    assert unlabelled.y.tolist() == [-1] * 200 and unlabelled.y.dtype == torch.int64
    assert Batch.from_data_list([frames[0], unlabelled]).y.shape == (400,)


@pytest.mark.parametrize(
    ("labelled", "has"),
    [
        (("train/a",), True),
        (("validation/a",), True),
        (("validation/b",), True),
        (("train/a", "validation/b"), True),
        ((), False),
    ],
    ids=str,
)
@pytest.mark.parametrize("measured", [False, True])
@pytest.mark.filterwarnings("ignore:.*no labels, unlike other scans")
def test_samples_have_labels_all_or_none(tmp_path, labelled, has, measured):
    for name in ("train/a", "train/b", "validation/a", "validation/b"):
        label = tmp_path / f"{name}.label" if name in labelled else None
        write_bin(tmp_path / f"{name}.bin", 6, labels=label)
    options = {} if measured else {"unit": 40, "features": ["constant", "z"]}
    frames = LidarFrames(tmp_path, "validation", **options)
    codes = [0, 10, 20, 0, 10, 20]
    expected = [codes if f"validation/{name}" in labelled else [-1] * 6 for name in "ab"]
    for order in ([0, 1], [1, 0]):
        batch = Batch.from_data_list([frames[i] for i in order])
        if has:
            assert batch.y.view(2, 6)[order].tolist() == expected
        else:
            assert "y" not in batch


def test_labels_are_looked_for_only_if_a_scan_has_none(tmp_path):
    write_bin(tmp_path / "train/a.bin", 6, labels=tmp_path / "train/a.label")
    frames = LidarFrames(tmp_path, unit=40, features=["constant"])
    assert frames[0].y is not None and not (tmp_path / "processed").exists()
    (tmp_path / "train").rename(tmp_path / "validation")
    write_bin(tmp_path / "validation/b.bin", 6)
    frames = LidarFrames(tmp_path, "validation", unit=40, features=["constant"])  # nothing to learn from
    with pytest.warns(UserWarning, match=r"b\.bin: no labels, unlike other scans; its points get -1"):
        assert frames[1].y.tolist() == [-1] * 6


def test_airborne_scans(tmp_path):
    xyz, (intensity, number, returns, codes) = write_las(
        tmp_path / "a.LAS", kind=2, rgb=np.full((300, 3), 65535)
    )
    frames = LidarFrames(
        tmp_path,
        None,
        features=("intensity", "return_number", "num_returns", "red"),
        unit=5.0,
        normalize=False,
    )
    data = frames[0]
    assert np.abs(back(data, 5).numpy() - xyz).max() < 1e-5  # of coordinates in the millions
    assert data.pos.abs().max() <= 1 and data.origin.dtype == torch.float64
    assert np.allclose(data.x, np.stack([intensity / 65535, number, returns, np.ones(300)], axis=1))
    assert np.array_equal(data.y, codes) and data.name == "a.LAS"


@pytest.mark.parametrize("text", [False, True])
def test_ply_properties(tmp_path, text):
    rows = write_ply(tmp_path / "test/a.ply", text)
    data = LidarFrames(tmp_path, "test", features=["reflectance", "red"], normalize=False, unit=1)[0]
    assert np.allclose(back(data), np.stack([rows[n] for n in "xyz"], axis=1), atol=1e-6)
    assert np.allclose(data.x[:, 0], rows["reflectance"]) and np.array_equal(data.y, rows["label"])
    assert data.x[:, 1].max() <= 1 and np.allclose(data.x[:, 1], rows["red"] / 255)
    bare = LidarFrames(tmp_path, "test", features=["z", "constant"], unit=2.0)[0]  # of any file
    assert torch.equal(bare.x, torch.stack([bare.pos[:, 2], torch.ones(len(bare.pos))], dim=1))
    trimesh.creation.icosphere().export(tmp_path / "train.ply")  # a mesh: its vertices
    assert read_frame(tmp_path / "train.ply").labels is None


def test_voxels_keep_the_point_nearest_to_the_centre():
    xyz = RNG.uniform(-3, 3, (4000, 3))
    index = thin(xyz, 0.5)
    cells = np.floor(xyz / 0.5)
    assert np.array_equal(index, np.sort(index)) and len(index) == len(np.unique(cells, axis=0)) < 1728 + 1
    distance = np.linalg.norm(xyz / 0.5 - cells - 0.5, axis=1)
    for i in index[:50]:
        assert distance[i] == distance[(cells == cells[i]).all(1)].min()


def test_tiles_cover_a_frame_once(tmp_path, monkeypatch):
    xyz, _ = write_las(tmp_path / "train/a.las", 2000)
    write_las(tmp_path / "train/b.las", 100, offset=(0.0, 0, 0))
    tiles = LidarFrames(tmp_path, tile=4.0)
    assert len(tiles) > 9 and len({d.name for d in tiles}) == len(tiles)
    mine = [d for d in tiles if d.name.startswith("train/a.las ")]
    assert all((d.pos[:, :2].abs() <= 1).all() for d in mine)  # half a tile is the unit
    found = np.concatenate([back(d, 2.0) for d in mine])
    assert len(found) == 2000
    assert np.allclose(np.sort(found, axis=0), np.sort(xyz, axis=0), atol=1e-5)
    assert tiles[[0, 1]][1].name == tiles[1].name
    monkeypatch.setattr(lidar_scans, "read_frame", None)
    assert len(LidarFrames(tmp_path, tile=4.0)) == len(tiles)  # the list is stored


def test_fewer_points_the_same_ones_every_time(tmp_path):
    write_bin(tmp_path / "train/a.bin", 1000)
    a, b = (LidarFrames(tmp_path, max_points=64)[0] for _ in range(2))
    assert a.num_nodes == 64 and torch.equal(a.pos, b.pos) and len(a.pos.unique(dim=0)) == 64
    both = LidarFrames(tmp_path, voxel=20.0, max_points=64, tile=40.0)
    assert 1 <= max(d.num_nodes for d in both) <= 2 * 2 * 5
    moved = LidarFrames(tmp_path, max_points=8, transform=lambda d: d.update({"pos": d.pos * 0}))
    assert moved[0].pos.abs().sum() == 0


def test_files_are_read_once_in_a_row(tmp_path, monkeypatch):
    write_bin(tmp_path / "train/a.bin", 1000)
    frames, real, seen = LidarFrames(tmp_path, tile=20.0), lidar_scans.read_frame, []
    monkeypatch.setattr(
        lidar_scans, "read_frame", lambda path, **options: seen.append(path) or real(path, **options)
    )
    assert len([d.pos for d in frames]) >= 16 and len(seen) == 1


def broken(name, content):
    return lambda root: (root / "train" / name).write_bytes(content)


@pytest.mark.parametrize(
    ("write", "kwargs", "words"),
    [
        (broken("a.bin", bytes(17)), {}, r"a\.bin: 17 bytes, expected 16 per point"),
        (broken("a.bin", b""), {}, "no points"),
        (broken("a.bin", np.full(4, np.nan, "<f4").tobytes()), {}, "NaN or Inf in positions"),
        (broken("a.bin", np.array([0, 0, 0, np.inf], "<f4").tobytes()), {}, "NaN or Inf in intensity"),
        (
            broken("a.bin", np.full(4, 2e30, "<f4").tobytes()),
            {},
            r"positions up to 2e\+30, expected at most 1e\+30",
        ),
        (broken("a.laz", b"LASF"), {}, r"a\.laz: .*expected a LAS header"),
        (broken("a.las", b"LASF"), {}, "expected a LAS header"),
        (broken("a.ply", b"ply\n"), {}, "end_header|PLY"),
        (
            lambda root: write_bin(root / "train/a.bin"),
            {"features": ["red"]},
            "no red in the training scans; the option 'features' takes some of constant, x, y, z, int",
        ),
        (
            lambda root: write_bin(root / "train/a.bin"),
            {"features": ["red"], "unit": 50, "normalize": False},
            "no red, the file has intensity; features may be some of constant, x, y, z, intensity",
        ),
    ],
)
def test_files_that_are_not_understood(tmp_path, write, kwargs, words):
    (tmp_path / "train").mkdir()
    write(tmp_path)
    with pytest.raises(ValueError, match=words):
        LidarFrames(tmp_path, **kwargs)[0]


def test_as_many_labels_as_points(tmp_path):
    write_bin(tmp_path / "train/a.bin", labels=tmp_path / "train/a.label")
    (tmp_path / "train/a.label").write_bytes(bytes(12))
    with pytest.raises(ValueError, match=r"a\.label: 12 bytes, expected 4 for each of 200 points of a\.bin"):
        LidarFrames(tmp_path)[0]


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"split": "val"}, ValueError, "split train, validation, test or None, got 'val'"),
        ({"split": "test"}, FileNotFoundError, "test: no such folder; place scans there"),
        ({"split": "validation"}, ValueError, r"no scans, expected \.bin \.las"),
        ({"voxel": 0}, ValueError, r"numbers above 0, got \{'voxel': 0\}"),
        ({"tile": float("nan")}, ValueError, "numbers above 0"),
        ({"unit": -1.0}, ValueError, "numbers above 0"),
        ({"max_points": 0}, ValueError, "numbers above 0"),
        ({"features": "intensity"}, ValueError, "a list of names, got 'intensity'"),
        ({"features": ()}, ValueError, "a list of names"),
        ({"classes": 10}, ValueError, "different whole numbers, .*, got 10"),
        ({"classes": [10, 10]}, ValueError, r"different whole numbers, not -1 \(no label\), got \[10, 10\]"),
        ({"classes": [1.5]}, ValueError, "different whole numbers"),
        ({"classes": [-1, 0]}, ValueError, "different whole numbers"),
        ({"classes": []}, ValueError, "different whole numbers"),
        (
            {"columns": ["x", "y", "intensity"]},
            ValueError,
            "columns: expected different names, x, y, z among them",
        ),
        ({"columns": "xyz"}, ValueError, "columns: expected different names"),
        ({"columns": ["x", "y", "z", "i", "i"]}, ValueError, "columns: expected different names"),
        ({"column_type": "f4"}, ValueError, "column_type: expected float32 or float64, got 'f4'"),
    ],
)
def test_wrong_arguments(tmp_path, kwargs, error, words):
    write_bin(tmp_path / "train/a.bin")
    (tmp_path / "validation").mkdir()
    with pytest.raises(error, match=words):
        LidarFrames(tmp_path, **kwargs)


def test_a_network_labels_points(tmp_path):
    write_las(tmp_path / "train/a.las", 400)
    frames = LidarFrames(tmp_path, classes=(2, 3, 4), tile=5.0, unit=2.5)
    batch = next(iter(DataLoader(frames, batch_size=4)))
    model = CCNN.from_preset("ccnn_4_16", 3, 1, 3, readout="node", num_neighbors=16)
    loss = torch.nn.functional.cross_entropy(model(batch), batch.y, ignore_index=-1)
    loss.backward()
    assert loss.isfinite() and batch.y.min() == -1 and batch.y.max() == 2


def test_real_velodyne_frames(shared, tmp_path):
    with np.load(shared("kitti.npz")) as archive:
        rows, offset = archive["xyzi"], archive["offset"]
    for i in range(2):
        rows[offset[i] : offset[i + 1]].tofile(tmp_path / f"{i:06d}.bin")
    frames = LidarFrames(tmp_path, None, unit=40.0, normalize=False)
    assert [d.num_nodes for d in frames] == [124668, 124605]
    for i, data in enumerate(frames):
        part = rows[offset[i] : offset[i + 1]]
        assert (
            np.array_equal(data.x[:, 0], part[:, 3])
            and np.abs(back(data, 40).numpy() - part[:, :3]).max() < 1e-5
        )
    thinned = LidarFrames(tmp_path, None, voxel=1.0, max_points=8192)[0]
    assert 4000 < thinned.num_nodes <= 8192
