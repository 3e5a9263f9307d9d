"""Folders of images: every format, normalisation, splits, and files of strangers."""

import pickle
import struct
import zlib

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.datasets.base import conversion
from ccnn_geo.datasets.images import image_store
from ccnn_geo.datasets.images.image_folder import ImageFolder
from ccnn_geo.io.image import read_image

pil = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)


def save(path, shape=(6, 8, 3), **kwargs) -> np.ndarray:
    pixels = RNG.integers(256, size=shape, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    pil.fromarray(pixels).save(path, **kwargs)
    return pixels


@pytest.fixture
def root(tmp_path):
    """Two classes, in train 10 and 20 images, in test 2 and 3."""
    for split, counts in (("train", (10, 20)), ("test", (2, 3))):
        for name, count in zip(("cat", "dog"), counts, strict=True):
            for i in range(count):
                save(tmp_path / split / name / f"{i:02d}.png")
    (tmp_path / "train/cat/notes.txt").write_text("no image")
    (tmp_path / "train/cat/.hidden.png").write_text("no image")
    return tmp_path


def pixels(root, name: str) -> torch.Tensor:
    return torch.from_numpy(np.asarray(pil.open(root / name)).transpose(2, 0, 1) / 255).float()


def stored(root) -> list:
    """Files that were written, besides locks."""
    return [p for p in (root / "processed").rglob("*") if p.is_file() and p.suffix != ".lock"]


def test_every_sample_is_normalised_by_the_training_part(root):
    train, test = (ImageFolder(root, split) for split in ("train", "test"))
    assert train.classes == ["cat", "dog"] and train.grid_shape == (3, 6, 8)
    assert train.y.bincount().tolist() == [10, 20]
    assert test.y.tolist() == [0, 0, 1, 1, 1] and test.names[2] == "test/dog/00.png"
    stacked = torch.stack([pixels(root, name) for name in train.names])
    mean, std = stacked.mean((0, 2, 3)), stacked.std((0, 2, 3), correction=0)
    for data in (train, test):
        torch.testing.assert_close(torch.tensor(data.mean), mean)
        torch.testing.assert_close(torch.tensor(data.std), std)
        for (image, label), name in zip(data, data.names, strict=True):
            expected = (pixels(root, name) - mean.view(3, 1, 1)) / std.view(3, 1, 1)
            torch.testing.assert_close(image, expected, atol=1e-5, rtol=1e-5)
            assert data.classes[label] in name
    assert train[[3, 4]].names == train.names[3:5]
    assert pickle.loads(pickle.dumps(test))[1][0].equal(test[1][0])


def test_a_second_open_decodes_nothing(root, monkeypatch):
    first = ImageFolder(root, "test")
    monkeypatch.setattr(image_store, "stored_image", None)
    assert torch.equal(ImageFolder(root, "test")[1][0], first[1][0])
    monkeypatch.undo()
    new = save(root / "test/cat/00.png", (6, 8, 3), compress_level=0)  # another size: another key
    image = ImageFolder(root, "test")[0][0]
    restored = image * torch.tensor(first.std).view(3, 1, 1) + torch.tensor(first.mean).view(3, 1, 1)
    torch.testing.assert_close(
        restored * 255, torch.from_numpy(new.transpose(2, 0, 1)).float(), atol=1e-3, rtol=0
    )


def test_statistics_of_elsewhere(root):
    own = {"mean": (0.1, 0.2, 0.3), "std": (1.0, 2.0, 4.0)}
    image = ImageFolder(root, "test", **own)[0][0]
    shown = pixels(root, "test/cat/00.png")
    torch.testing.assert_close(image[1], (shown[1] - 0.2) / 2)
    torch.testing.assert_close(image[2], (shown[2] - 0.3) / 4)
    for path in sorted(root.glob("train/*/*")):
        path.unlink()
    for path in [*root.glob("train/*"), root / "train"]:
        path.rmdir()
    assert len(ImageFolder(root, "test", **own)) == 5
    with pytest.raises(FileNotFoundError, match="no folder 'train' to normalise with; pass mean and std"):
        ImageFolder(root, "test")


def test_one_value_is_only_moved(tmp_path):
    for i in range(3):
        (tmp_path / "train/a").mkdir(parents=True, exist_ok=True)
        pil.fromarray(np.full((4, 4, 3), 51, np.uint8)).save(tmp_path / f"train/a/{i}.png")
    data = ImageFolder(tmp_path)
    assert len(data) == 3 and data[0][0].abs().max() < 1e-6


def test_images_of_all_sizes_are_made_alike(root):
    save(root / "train/cat/large.jpg", (40, 90, 3))
    with pytest.raises(ValueError, match=r"train/cat/large\.jpg: 40 x 90 pixels, the first image has 6 x 8"):
        ImageFolder(root)
    assert stored(root) == []
    assert ImageFolder(root, size=(5, 4)).size == (5, 4)
    assert ImageFolder(root, "test", size=4, channels=1).grid_shape == (1, 4, 4)
    (root / "train/cat/large.jpg").unlink()
    for path in root.glob("test/*/*.png"):
        save(path, (5, 8, 3))
    with pytest.raises(ValueError, match=r"images of train are \[3, 6, 8\], of test \[3, 5, 8\]"):
        ImageFolder(root, "test")


def test_crops_are_central_and_cover(tmp_path):
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 2:6] = 255  # the middle is white
    pil.fromarray(image).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png", (4, 4)) == 255).all()
    assert read_image(tmp_path / "a.png", (2, 4)).shape == (3, 2, 4)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "tif", "ppm"])
def test_formats(tmp_path, suffix):
    path = tmp_path / f"image.{suffix}"
    pil.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(path)
    assert np.abs(read_image(path).astype(int) - 90).max() <= 3
    assert read_image(path, channels=1).shape == (1, 6, 8)


def test_modes_and_orientation(tmp_path):
    save(tmp_path / "alpha.png", (6, 8, 4))
    save(tmp_path / "gray.png", (6, 8))
    assert read_image(tmp_path / "alpha.png").shape == read_image(tmp_path / "gray.png").shape == (3, 6, 8)
    exif = pil.Exif()
    exif[0x0112] = 6  # the camera was turned
    flat = save(tmp_path / "turned.png", (6, 8, 3), exif=exif)
    assert np.array_equal(read_image(tmp_path / "turned.png"), np.rot90(flat, -1).transpose(2, 0, 1))


def bomb() -> bytes:
    """A PNG of 9,000 x 9,000 pixels in a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


def test_files_of_strangers_are_all_named(root):
    good = (root / "train/dog/00.png").read_bytes()
    bad = {
        "truncated.png": good[:-60],
        "text.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n",
        "bomb.png": bomb(),
        "empty.gif": b"",
    }
    for name, content in bad.items():
        (root / "train/cat" / name).write_bytes(content)
    pil.fromarray(np.zeros((6, 8), np.uint16)).save(root / "train/cat/deep.png")
    with pytest.raises(ValueError, match="5 of 35 images") as error:
        ImageFolder(root)
    for name in [*bad, "deep.png"]:
        assert f"train/cat/{name}: " in str(error.value)
    assert "9000 x 9000 pixels" in str(error.value) and "expected 8 bits" in str(error.value)
    assert stored(root) == []
    for name in [*bad, "deep.png"]:
        (root / "train/cat" / name).unlink()
    assert len(ImageFolder(root)) == 30


def test_what_a_killed_process_left_is_removed(root):
    target = ImageFolder(root, "test").values.path
    target.with_suffix(".npz").unlink()
    stale = target.with_name(f".{target.name}.123.tmp")
    stale.write_bytes(b"half")
    assert len(ImageFolder(root, "test")) == 5 and not stale.exists()


def test_a_damaged_store_is_named(root):
    target = ImageFolder(root, "test").values.path.with_suffix(".npz")
    target.write_bytes(target.read_bytes()[:100])
    with pytest.raises(ValueError, match=f"{target.name}: .* remove this file"):
        ImageFolder(root, "test")


def test_what_processes_are_asked_can_be_sent_to_them(root, tmp_path, sent):
    alone = ImageFolder(root, cache=tmp_path / "alone")
    asked = sent(conversion)
    together = ImageFolder(root, cache=tmp_path / "together", num_workers=3)
    ImageFolder(root, cache=tmp_path / "few")
    assert asked == [3, 0] and alone.names == together.names
    assert all(torch.equal(a[0], b[0]) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"channels": 4}, "channels must be 1 or 3, got 4"),
        ({"size": 0}, r"size: expected \(H, W\) of at least 1"),
        ({"size": (1, 2, 3)}, r"size: expected \(H, W\)"),
        ({"mean": (0.5,) * 3}, "given together"),
        ({"mean": (0.5,), "std": (1,)}, "expected 3 numbers"),
        ({"mean": (0.5,) * 3, "std": (1, 1, 0)}, "std above 0"),
        ({"split": "val"}, "split must be one of train, validation, test"),
    ],
)
def test_wrong_arguments(root, kwargs, words):
    with pytest.raises(ValueError, match=words):
        ImageFolder(root, **kwargs)


def test_wrong_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        ImageFolder(tmp_path / "nowhere")
    save(tmp_path / "train/a/0.png")
    with pytest.raises(FileNotFoundError, match="no split 'test'"):
        ImageFolder(tmp_path, "test")
    (tmp_path / "train/b").mkdir()
    with pytest.raises(ValueError, match=r"b: no images, expected .*, got no other files"):
        ImageFolder(tmp_path)
    save(tmp_path / "test/a/0.png")
    with pytest.raises(ValueError, match=r"same classes; in train but not in [a-z]+: 'b'$"):
        ImageFolder(tmp_path)


def test_real_photographs(tmp_path, shared):
    with np.load(shared("cifar10_jpeg.npz"), allow_pickle=False) as file:
        raw, offset, y = file["test_jpeg"], file["test_offset"], file["y_test"]
    chosen = np.linspace(0, len(y) - 1, 60).astype(int)
    for i in chosen:
        path = tmp_path / f"train/{y[i]}/{i:05d}.jpeg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw[offset[i] : offset[i + 1]].tobytes())
    data = ImageFolder(tmp_path)
    assert len(data) == 60 and data.num_classes == 10 and data.grid_shape == (3, 32, 32)
    assert data.y.tolist() == [int(name.split("/")[1]) for name in data.names]
    grids = torch.stack([grid for grid, _ in data])
    torch.testing.assert_close(grids.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(grids.std((0, 2, 3)), torch.ones(3), atol=1e-4, rtol=0)
    restored = grids * torch.tensor(data.std).view(3, 1, 1) + torch.tensor(data.mean).view(3, 1, 1)
    for image, name in zip(restored, data.names, strict=True):
        torch.testing.assert_close(image, pixels(tmp_path, name), atol=1e-5, rtol=0)


def test_a_training_step(root):
    data = ImageFolder(root, size=16)
    model = CCNN.from_preset("ccnn_4_16", in_channels=3, out_channels=2, dim=2)
    grids, labels = next(iter(torch.utils.data.DataLoader(data, 4)))
    loss = torch.nn.functional.cross_entropy(model(grids), labels)
    loss.backward()
    assert loss.isfinite()
