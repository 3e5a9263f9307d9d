"""CIFAR from the binary versions: images, grey images, sequences, damaged files."""

import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.datasets.images.cifar import CIFAR10, CIFAR100, LRAImage, LRAImage2D, SequentialCIFAR10, to_gray

SHARED = Path(__file__).resolve().parents[3] / "../shared/data"

RNG = np.random.default_rng(0)
X = RNG.integers(256, size=(36, 3, 32, 32), dtype=np.uint8)  # 30 for training, 6 for testing
Y = (np.arange(36) % 10).astype(np.uint8)
FINE = (np.arange(36) * 7 % 100).astype(np.uint8)


def rows(cls, index) -> bytes:
    labels = (Y[index, None],) if cls is not CIFAR100 else (Y[index, None], FINE[index, None])
    return np.concatenate([*labels, X[index].reshape(-1, 3072)], axis=1).tobytes()


def members(cls) -> dict[str, bytes]:
    size = 30 // len(cls.train_files)
    files = {name: rows(cls, np.arange(i * size, (i + 1) * size)) for i, name in enumerate(cls.train_files)}
    return files | {cls.test_file: rows(cls, np.arange(30, 36))}


def write(root: Path, cls=CIFAR10) -> None:
    for name, content in members(cls).items():
        path = root / cls.info.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def load(root, split="train", cls=CIFAR10, **kwargs):
    return cls(root, split, download=False, check_counts=False, **kwargs)


def normalized(cls, x: np.ndarray) -> torch.Tensor:
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (cls.mean, cls.std))
    return (torch.from_numpy(x) / 255 - mean) / std


@pytest.mark.parametrize("cls", [CIFAR10, CIFAR100])
def test_every_sample(tmp_path, cls):
    write(tmp_path, cls)
    train, validation, test = (load(tmp_path, split, cls) for split in cls.info.counts)
    assert (len(train), len(validation), len(test)) == (27, 3, 6)
    labels = FINE if cls is CIFAR100 else Y
    for i, (image, label) in enumerate(test):
        torch.testing.assert_close(image, normalized(cls, X[30 + i]), atol=1e-5, rtol=0)
        assert label == labels[30 + i]
    expected = normalized(cls, X[:30])
    seen = set()
    for data in (train, validation):
        for image, label in data:
            place = int((expected - image).abs().amax((1, 2, 3)).argmin())
            torch.testing.assert_close(image, expected[place], atol=1e-5, rtol=0)
            assert label == labels[place] and place not in seen
            seen.add(place)
    assert len(seen) == 30
    again = load(tmp_path, "validation", cls)
    assert torch.equal(again.values, validation.values) and again.values.dtype == torch.uint8


def test_from_the_published_archive(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in (members(CIFAR100) | {"cifar-100-binary/fine_label_names.txt": b"\xff"}).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    (tmp_path / "cifar-100-binary.tar.gz").write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="expected 03b5dce01913d631647c71ecec9e9cb8"):
        load(tmp_path, cls=CIFAR100)
    assert load(tmp_path, "test", CIFAR100, checksum=None).y.tolist() == FINE[30:].tolist()
    (tmp_path / "cifar-100-binary.tar.gz").unlink()
    assert len(load(tmp_path, "validation", CIFAR100)) == 3


def test_sequences_are_rows_of_pixels(tmp_path):
    write(tmp_path)
    image, grey = (load(tmp_path, "test", cls)[1][0] for cls in (CIFAR10, LRAImage2D))
    row, grey_row = (load(tmp_path, "test", cls)[1][0] for cls in (SequentialCIFAR10, LRAImage))
    assert row.shape == (3, 1024) and grey_row.shape == (1, 1024)
    assert torch.equal(row[:, 32 * 5 + 7], image[:, 5, 7])
    assert grey_row[0, 32 * 5 + 7] == grey[0, 5, 7]
    flipped = load(tmp_path, "test", SequentialCIFAR10, transform=lambda x: x.flip(2))[1][0]
    assert torch.equal(flipped, image.flip(2).flatten(1))


def test_grey_is_that_of_imaging_libraries(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for x, gray in zip(X, to_gray(torch.from_numpy(X)), strict=True):
        assert np.array_equal(np.asarray(image.fromarray(x.transpose(1, 2, 0)).convert("L")), gray[0].numpy())
    write(tmp_path)
    grid = load(tmp_path, "test", LRAImage2D)[0][0]
    expected = (to_gray(torch.from_numpy(X[30:31]))[0] - 122.6) / 61
    torch.testing.assert_close(grid, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (rows(CIFAR10, np.arange(6))[:-1], "18437 bytes, expected N images of 3073"),
        (b"", "0 bytes, expected N images of 3073"),
        (struct.pack("3073B", *[10] * 3073), "label 10 of image 0, expected 0 to 9"),
    ],
)
def test_damaged_files(tmp_path, content, words):
    write(tmp_path)
    for name in (CIFAR10.test_file, CIFAR10.train_files[3]):
        (tmp_path / "cifar10" / name).write_bytes(content)
    for split in ("train", "test"):
        with pytest.raises(ValueError, match=words):
            load(tmp_path, split)


def test_coarse_classes_have_no_bound_here(tmp_path):
    write(tmp_path, CIFAR100)
    path = tmp_path / "cifar100" / CIFAR100.test_file
    path.write_bytes(bytes([0, 100]) + bytes(3072))
    with pytest.raises(ValueError, match="label 100 of image 0, expected 0 to 99"):
        load(tmp_path, "test", CIFAR100)
    path.write_bytes(bytes([100, 99]) + bytes(3072))
    assert load(tmp_path, "test", CIFAR100).y.tolist() == [99]


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="splits train, validation, test, got 'dev'"):
        CIFAR10(tmp_path, "dev")
    with pytest.raises(
        FileNotFoundError, match=r"no cifar-10-binary\.tar\.gz in .*cifar10; place the published files there"
    ):
        LRAImage(tmp_path, download=False)
    write(tmp_path)
    with pytest.raises(ValueError, match="18438 bytes, expected 10000 images of 3073"):
        CIFAR10(tmp_path, "test", download=False)
    (tmp_path / "cifar10" / CIFAR10.train_files[2]).unlink()
    with pytest.raises(ValueError, match=r"no cifar-10-batches-bin/data_batch_3\.bin; remove the folder"):
        load(tmp_path)
    assert len(load(tmp_path, "test")) == 6


def test_class_names():
    assert len(set(CIFAR100.all_classes)) == 100 and list(CIFAR100.all_classes) == sorted(
        CIFAR100.all_classes
    )
    assert len(set(CIFAR10.all_classes)) == 10 and CIFAR10.all_classes[6] == "frog"


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """300 real test images of all classes in the publisher's layout, decoded from JPEG."""
    image = pytest.importorskip("PIL.Image")
    path = SHARED / "cifar10_jpeg.npz"
    if not path.exists():
        pytest.skip(f"no shared data at {path}")
    with np.load(path, allow_pickle=False) as stored:
        raw, offset, y = stored["test_jpeg"], stored["test_offset"], stored["y_test"]
    chosen = np.linspace(0, len(y) - 1, 300).astype(int)
    y = y[chosen]
    pixels = [
        np.asarray(image.open(io.BytesIO(raw[offset[i] : offset[i + 1]].tobytes())).convert("RGB"))
        for i in chosen
    ]
    x = np.stack(pixels).transpose(0, 3, 1, 2)
    root = tmp_path_factory.mktemp("real")
    target = root / "cifar10" / CIFAR10.test_file
    target.parent.mkdir(parents=True)
    target.write_bytes(np.concatenate([y[:, None].astype(np.uint8), x.reshape(300, -1)], axis=1).tobytes())
    return root, x, y


def test_real_photographs(real):
    root, x, y = real
    data = load(root, "test")
    assert data.y.tolist() == y.tolist()
    grids = torch.stack([grid for grid, _ in data])
    torch.testing.assert_close(grids, normalized(CIFAR10, x), atol=1e-5, rtol=0)
    grey = torch.stack([grid for grid, _ in load(root, "test", LRAImage)])
    for part in (grids, grey):
        assert abs(part.mean()) < 0.15 and abs(part.std() - 1) < 0.15


@pytest.mark.parametrize("cls", [CIFAR10, SequentialCIFAR10, LRAImage, LRAImage2D])
def test_a_training_step(real, cls):
    data = load(real[0], "test", cls)
    model = CCNN.from_preset(
        "ccnn_4_16", in_channels=data.in_channels, out_channels=data.num_classes, dim=len(data.size)
    )
    grids, labels = next(iter(torch.utils.data.DataLoader(data, 4)))
    loss = torch.nn.functional.cross_entropy(model(grids), labels)
    loss.backward()
    assert loss.isfinite() and all(p.grad is not None for p in model.parameters())
