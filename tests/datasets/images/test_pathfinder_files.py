"""The files of Pathfinder: the release's layout, its archive, and every damage."""

import numpy as np
import pytest
import torch
from PIL import Image

from ccnn_geo.datasets.images import pathfinder
from ccnn_geo.datasets.images.pathfinder import SPLITS, Pathfinder, Pathfinder2D, PathX, split_indices
from ccnn_geo.datasets.images.pathfinder_drawing import Drawing
from ccnn_geo.datasets.images.pathfinder_files import read_archive, read_metadata, read_pngs
from ccnn_geo.datasets.images.pathfinder_images import make_chunk
from tests.datasets.images.pathfinder_on_disk import write_release


@pytest.fixture(scope="module")
def made():
    images, y = make_chunk(0, 0, Drawing())
    return images[:100], y[:100]


@pytest.fixture
def level(tmp_path, made, monkeypatch):
    monkeypatch.setattr(pathfinder, "TOTAL", 100)
    return write_release(tmp_path, *made)


def test_official_files(tmp_path, level, made):
    images, y = made
    splits = {split: Pathfinder(tmp_path, split, download=False) for split in SPLITS}
    assert [len(data) for data in splits.values()] == [80, 10, 10]
    samples = torch.cat([data._index for data in splits.values()])
    assert samples.sort().values.tolist() == list(range(100))
    for data in splits.values():
        for i, at in enumerate(data._index.tolist()):
            grid, label = data[i]
            assert grid.shape == (1, 1024) and label == y[at]
            assert torch.equal(grid.view(32, 32), torch.from_numpy(images[at]).float() / 255)
    flat, plane = splits["train"], Pathfinder2D(tmp_path, download=False)
    assert torch.equal(plane[5][0], flat[5][0].view(1, 32, 32)) and plane[5][1] == flat[5][1]
    for data in (flat, plane):
        assert (data.in_channels, data.size) == (data.info.in_channels, data.info.size)
    for path in sorted(level.rglob("*"), reverse=True):  # the stored images are enough
        path.rmdir() if path.is_dir() else path.unlink()
    assert torch.equal(Pathfinder(tmp_path, download=False)[7][0], flat[7][0])


def test_the_split_is_the_one_of_the_release():
    generator = torch.Generator().manual_seed(42)
    parts = torch.utils.data.random_split(range(1013), [811, 101, 101], generator)
    torch.manual_seed(3)
    for split, part in zip(SPLITS, parts, strict=True):
        assert split_indices(1013, split).tolist() == list(part.indices)
    assert sum(len(split_indices(200_000, split)) for split in SPLITS) == 200_000
    assert len(split_indices(200_000, "test")) == Pathfinder.info.counts["test"]


def test_parts_are_looked_at_every_time(tmp_path, level):
    (level / "metadata/12.npy").unlink()
    with pytest.raises(ValueError, match="list 96 images, expected 100"):
        Pathfinder(tmp_path)
    assert len(Pathfinder(tmp_path, "test", check_counts=False)) == 9
    (level / "metadata/11.npy").unlink()
    assert len(Pathfinder(tmp_path, "test", check_counts=False)) == 8


def test_half_of_the_work_is_done_again(tmp_path, level):
    before = Pathfinder(tmp_path)
    processed = tmp_path / "processed/lra"
    (processed / "pathfinder32-labels.npy").unlink()  # as after a killed process
    (processed / ".pathfinder32-images.npy.123.tmp").touch()
    after = Pathfinder(tmp_path)
    assert not (processed / ".pathfinder32-images.npy.123.tmp").exists()
    assert np.array_equal(before.values, after.values) and torch.equal(before.y, after.y)


def test_metadata_of_the_generator_itself(tmp_path):
    rows = [["imgs/3", "sample_0.png", 0, 1, 1.0], ["imgs/3", "sample_1.png", 1, 0, 1.0]]
    np.save(tmp_path / "3.npy", np.array(rows))
    assert read_metadata(tmp_path / "3.npy") == [("imgs/3/sample_0.png", 1), ("imgs/3/sample_1.png", 0)]


def test_pickles_are_never_opened(tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path / "executed").touch, ()

    np.save(tmp_path / "0.npy", np.array([[Evil()]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"Python objects.*savetxt"):
        read_metadata(tmp_path / "0.npy")
    np.array([[Evil()]], dtype=object).dump(tmp_path / "1.npy")
    with pytest.raises(ValueError, match="a pickle"):
        read_metadata(tmp_path / "1.npy")
    np.savez(tmp_path / "x.npz", x=np.array([Evil()], dtype=object), y=[0])
    with pytest.raises(ValueError, match="expected an archive of x and y"):
        read_archive(tmp_path / "x.npz", 32)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "row",
    [
        "imgs/0 sample_0.png 0",
        "imgs/0 sample_0.png 0 2",
        "imgs/0 ../../secret.png 0 1",
        "../imgs/0 sample_0.png 0 1",
        "/etc sample_0.png 0 1",
        "\udcff\udcfe",
    ],
)
def test_damaged_metadata(tmp_path, row):
    (tmp_path / "0.npy").write_bytes(b"imgs/0 sample_0.png 0 1 14\n" + row.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"0\.npy, line 2: expected 'imgs/<n> sample_<m>\.png"):
        read_metadata(tmp_path / "0.npy")


def test_damaged_images(tmp_path, level):
    path = level / "imgs/3/sample_2.png"
    content = path.read_bytes()
    for broken in (b"", content[: len(content) // 2], b"GIF89a" + content):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"imgs/3/sample_2\.png: expected a png image of 32 x 32, got"):
            Pathfinder(tmp_path)
    Image.new("L", (64, 32)).save(path)
    with pytest.raises(ValueError, match="got an image of 32 x 64"):
        Pathfinder(tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match=r"sample_2\.png: expected a png image of 32 x 32, got none"):
        Pathfinder(tmp_path)
    assert not list((tmp_path / "processed").rglob("*.npy"))
    Image.new("RGB", (32, 32), (255, 255, 255)).save(path)
    assert read_pngs([path], 32).min() == 255


def test_refusals(tmp_path, level):
    with pytest.raises(ValueError, match="splits train, validation, test, got 'hard'"):
        Pathfinder(tmp_path, "hard")
    with pytest.raises(
        FileNotFoundError, match=r"pathfinder128/curv_contour_length_14 .*PathX\(root, generate=True"
    ):
        PathX(tmp_path, download=False)
    with pytest.raises(FileNotFoundError, match=r"no .*x\.npz"):
        Pathfinder(tmp_path, file=tmp_path / "x.npz")
    with pytest.raises(ValueError, match="10 images or more, got 5"):
        Pathfinder(tmp_path, generate=5)
    with pytest.raises(ValueError, match=r"drawing: .*'dashes'.*, got \{'dashes': 3\}"):
        Pathfinder(tmp_path, generate=20, drawing={"dashes": 3})
    for path in (level / "metadata").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match="metadata"):
        Pathfinder(tmp_path)


def test_archives(tmp_path, made):
    x, y = made
    split = np.arange(100) % 3
    np.savez(tmp_path / "x.npz", x=x, y=y, split=split)
    data = Pathfinder(tmp_path, "validation", file=tmp_path / "x.npz")
    assert data.y.tolist() == y[split == 1].tolist()
    assert torch.equal(data[2][0].view(32, 32), torch.from_numpy(x[7]).float() / 255)
    bad = {
        "uint8": {"x": x.astype(float), "y": y},
        r"\[N, 32, 32\]": {"x": x[:, :16], "y": y},
        "labels or more of 0 and 1": {"x": x, "y": y + 1},
        "split": {"x": x, "y": y, "split": split + 1},
        "expected an archive of x and y": {"x": x},
    }
    for message, arrays in bad.items():
        np.savez(tmp_path / "bad.npz", **arrays)
        with pytest.raises(ValueError, match=message):
            Pathfinder(tmp_path, file=tmp_path / "bad.npz")
