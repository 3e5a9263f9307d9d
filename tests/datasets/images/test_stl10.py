"""STL-10 from its binary files, which hold images column by column."""

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.datasets.images.stl10 import STL10
from ccnn_geo.transforms import RandomCrop

RNG = np.random.default_rng(0)
X = {"train": RNG.integers(256, size=(20, 3, 96, 96), dtype=np.uint8)}  # [N, C, H, W]
X["test"] = RNG.integers(256, size=(4, 3, 96, 96), dtype=np.uint8)
Y = {part: (np.arange(len(x)) % 10).astype(np.uint8) for part, x in X.items()}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "stl10/stl10_binary"
    folder.mkdir(parents=True)
    for part, x in X.items():
        (folder / f"{part}_X.bin").write_bytes(x.transpose(0, 1, 3, 2).tobytes())
        (folder / f"{part}_y.bin").write_bytes((Y[part] + 1).tobytes())
    return tmp_path


def load(root, split="train", **kwargs):
    return STL10(root, split, download=False, check_counts=False, **kwargs)


def normalized(x: np.ndarray) -> torch.Tensor:
    mean, std = ((0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713))
    return (torch.from_numpy(x) / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def test_every_sample(root):
    train, validation, test = (load(root, split, size=None) for split in STL10.info.counts)
    assert (len(train), len(validation), len(test)) == (18, 2, 4)
    assert test.size == (96, 96) and test.classes[7] == "monkey"
    for i, (image, label) in enumerate(test):
        torch.testing.assert_close(image, normalized(X["test"][i]), atol=1e-5, rtol=0)
        assert label == i and image.is_contiguous()
    expected = normalized(X["train"])
    seen = [
        (int((expected - image).abs().amax((1, 2, 3)).argmin()), label)
        for data in (train, validation)
        for image, label in data
    ]
    assert sorted(seen) == [(i, i % 10) for i in range(20)]
    assert sorted(p.name for p in root.iterdir()) == ["stl10"]  # nothing else is stored


def test_resized_as_imaging_libraries_do(root):
    pil = pytest.importorskip("PIL.Image")
    data = load(root, "test")
    assert data.grid_shape == (3, 256, 256)
    for i in range(4):
        for size, image in ((256, data[i][0]), (48, load(root, "test", size=48)[i][0])):
            resized = pil.fromarray(X["test"][i].transpose(1, 2, 0)).resize(
                (size, size), pil.Resampling.BILINEAR
            )
            expected = normalized(np.asarray(resized).transpose(2, 0, 1).copy())
            # they round to bytes, once along each axis
            assert (image - expected).abs().max() < 1.1 / 255 / 0.25


def test_augmented_as_the_authors_do(root):
    data = load(root, size=272, transform=RandomCrop(size=256))
    assert data[0][0].shape == (3, 256, 256) and not torch.equal(data[0][0], data[0][0])


def test_files_are_not_written_to(root):
    path = root / "stl10/stl10_binary/test_X.bin"
    before = path.read_bytes()
    data = load(root, "test")
    data.values[:] = 0
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("test_X.bin", bytes(27648 * 4 - 1), "110591 bytes, expected N images of 27648"),
        ("test_X.bin", b"", "0 bytes, expected N images"),
        ("test_y.bin", bytes([1, 2, 3]), r"3 labels, expected 4 for test_X\.bin"),
        ("test_y.bin", bytes([1, 2, 0, 3]), "labels 0 to 3, expected 1 to 10"),
        ("test_y.bin", bytes([1, 2, 11, 3]), "labels 1 to 11, expected 1 to 10"),
    ],
)
def test_damaged_files(root, name, content, words):
    (root / "stl10/stl10_binary" / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        load(root, "test")


def test_refusals(root, tmp_path):
    with pytest.raises(ValueError, match="splits train, validation, test, got 'unlabeled'"):
        STL10(root, "unlabeled")
    with pytest.raises(ValueError, match="size must be at least 1, or None, got 0"):
        load(root, size=0)
    with pytest.raises(ValueError, match="552960 bytes, expected 5000 images"):
        STL10(root, download=False)
    with pytest.raises(
        FileNotFoundError, match=r"no stl10_binary\.tar\.gz in .*stl10; place the published files there"
    ):
        STL10(tmp_path / "elsewhere", download=False)


def test_a_training_step(root):
    data = load(root, size=64)
    model = CCNN.from_preset("ccnn_4_16", in_channels=3, out_channels=10, dim=2)
    grids, labels = next(iter(torch.utils.data.DataLoader(data, 2)))
    loss = torch.nn.functional.cross_entropy(model(grids), labels)
    loss.backward()
    assert loss.isfinite() and all(p.grad is not None for p in model.parameters())
