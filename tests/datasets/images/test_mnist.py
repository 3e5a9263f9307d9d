"""MNIST from idx files: as published, unpacked, damaged; as images and sequences."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.datasets.images.mnist import MNIST, PermutedMNIST, SequentialMNIST, fixed_permutation

SHARED = Path(__file__).resolve().parents[3] / "../shared/data"

RNG = np.random.default_rng(0)
X = {"train": RNG.integers(256, size=(24, 28, 28), dtype=np.uint8)}
X["t10k"] = RNG.integers(256, size=(6, 28, 28), dtype=np.uint8)
Y = {part: (np.arange(len(x)) % 10).astype(np.uint8) for part, x in X.items()}


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def write(folder, packed: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in X:
        for array, name in ((X[part], "images-idx3"), (Y[part], "labels-idx1")):
            path = folder / f"{part}-{name}-ubyte{'.gz' * packed}"
            path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))


def load(root, split="train", cls=MNIST, **kwargs):
    return cls(root, split, download=False, check_counts=False, **kwargs)


def normalized(x: np.ndarray) -> torch.Tensor:
    return (torch.from_numpy(x) / 255 - 0.1307) / 0.3081


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("folder", ["mnist", "."])
def test_every_sample(tmp_path, folder, packed):
    write(tmp_path / folder, packed)
    train, validation, test = (load(tmp_path, split) for split in MNIST.info.counts)
    assert (len(train), len(validation), len(test)) == (22, 2, 6)
    assert train.grid_shape == (1, 28, 28) and train.classes == list("0123456789")
    for data, part in ((test, "t10k"), (train, "train"), (validation, "train")):
        for image, label in data:
            match = [k for k, x in enumerate(X[part]) if torch.allclose(image[0], normalized(x), atol=1e-5)]
            assert len(match) == 1 and Y[part][match[0]] == label
    seen = {image.sum().item() for data in (train, validation) for image, _ in data}
    assert len(seen) == 24  # no image in both
    assert torch.equal(test[3][0][0], load(tmp_path, "test")[3][0][0])
    assert [y for _, y in test] == [0, 1, 2, 3, 4, 5]


def test_sequences_are_the_same_pixels_in_order(tmp_path):
    write(tmp_path)
    image = load(tmp_path, "test")[2][0]
    row = load(tmp_path, "test", SequentialMNIST)[2][0]
    assert row.shape == (1, 784) and row[0, 28 * 3 + 5] == image[0, 3, 5]
    permuted = load(tmp_path, "test", PermutedMNIST)
    assert permuted.size == (784,)
    assert all(permuted[2][0][0, t] == row[0, p] for t, p in enumerate(permuted.permutation))
    own = load(tmp_path, "test", PermutedMNIST, permutation=range(783, -1, -1))
    assert torch.equal(own[2][0], row.flip(1))


def test_the_permutation_cannot_change():
    order = fixed_permutation()
    assert order[:6].tolist() == FIRST and order.sort().values.tolist() == list(range(784))
    np.random.seed(5)  # noqa: NPY002 - what must have no effect
    assert torch.equal(fixed_permutation(), order)


FIRST = [693, 85, 647, 392, 765, 14]
"""Where a sequence of pMNIST begins, in the image."""


def test_a_changed_stream_of_random_numbers_is_noticed(monkeypatch):
    class Other:
        def __init__(self, seed):
            pass

        def permutation(self, num):
            return np.arange(num)

    monkeypatch.setattr(np.random, "RandomState", Other)
    with pytest.raises(RuntimeError, match="the order of pMNIST has digest"):
        fixed_permutation()


@pytest.mark.parametrize("order", [range(783), [0] * 784, torch.linspace(0, 783, 784)])
def test_no_permutations(tmp_path, order):
    write(tmp_path)
    with pytest.raises(ValueError, match="expected each of 0 to 783 once"):
        load(tmp_path, cls=PermutedMNIST, permutation=order)


@pytest.mark.parametrize("cls", [SequentialMNIST, PermutedMNIST])
def test_augmentation_sees_images(tmp_path, cls):
    write(tmp_path)
    plain, moved = (load(tmp_path, cls=cls, transform=t) for t in (None, lambda image: image.roll(1, 2)))
    order = getattr(plain, "permutation", torch.arange(784))
    image = torch.empty(784)
    image[order] = plain[4][0][0]
    assert torch.equal(moved[4][0][0], image.view(28, 28).roll(1, 1).flatten()[order])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "images-idx3",
            gzip.compress(idx(X["t10k"]))[:-50],
            "damaged or cut off, expected a whole gzip file",
        ),
        ("images-idx3", b"not gzip", "damaged or cut off, expected a whole gzip file"),
        ("images-idx3", gzip.compress(b"\0\0"), "begins with 0000, expected 00000803"),
        ("images-idx3", gzip.compress(idx(Y["t10k"]) + bytes(20)), "begins with 00000801, expected 00000803"),
        ("images-idx3", gzip.compress(idx(X["t10k"])[:-1]), "4703 bytes after the header, expected 4704"),
        ("images-idx3", gzip.compress(idx(X["t10k"]) + b"0"), "more bytes after the header, expected 4704"),
        (
            "images-idx3",
            gzip.compress(idx(X["t10k"][:, :27])),
            r"holds \[6, 27, 28\], expected \['N', 28, 28\]",
        ),
        ("labels-idx1", gzip.compress(idx(Y["t10k"][:5])), r"holds \[5\], expected \[6\]"),
        ("labels-idx1", gzip.compress(idx(Y["t10k"] * 3)), "label 15 at 5, expected 0 to 9"),
    ],
)
def test_damaged_files(tmp_path, name, content, words):
    write(tmp_path)
    (tmp_path / f"t10k-{name}-ubyte.gz").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        load(tmp_path, "test")


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="splits train, validation, test, got 'val'"):
        MNIST(tmp_path, "val")
    with pytest.raises(
        FileNotFoundError, match=r"no t10k-images-idx3-ubyte\.gz, t10k-labels-idx1-ubyte\.gz in"
    ):
        MNIST(tmp_path, "test", download=False)
    write(tmp_path)
    with pytest.raises(ValueError, match=r"holds \[24, 28, 28\], expected \[60000, 28, 28\]"):
        MNIST(tmp_path, "train", download=False)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The test half of the real digits, in the publisher's files."""
    if not (SHARED / "mnist.npz").exists():
        pytest.skip(f"no shared data at {SHARED / 'mnist.npz'}")
    root = tmp_path_factory.mktemp("real")
    with np.load(SHARED / "mnist.npz") as arrays:
        x, y = arrays["x_test"], arrays["y_test"]
    (root / "mnist").mkdir()
    for array, name in ((x, "images-idx3"), (y.astype(np.uint8), "labels-idx1")):
        (root / f"mnist/t10k-{name}-ubyte.gz").write_bytes(gzip.compress(idx(array), 1))
    return root, x, y


def test_real_digits(real):
    root, x, y = real
    data = MNIST(root, "test", download=False)
    assert len(data) == 10_000 and data.y.tolist() == y.tolist()
    grids = torch.stack([grid for grid, _ in data])
    torch.testing.assert_close(grids[:, 0], normalized(x), atol=1e-5, rtol=0)
    assert abs(grids.mean()) < 0.02 and abs(grids.std() - 1) < 0.02


@pytest.mark.parametrize("cls", [MNIST, SequentialMNIST, PermutedMNIST])
def test_a_training_step(real, cls):
    data = cls(real[0], "test", download=False)
    model = CCNN.from_preset(
        "ccnn_4_16", in_channels=data.in_channels, out_channels=data.num_classes, dim=len(data.size)
    )
    grids, labels = next(iter(torch.utils.data.DataLoader(data, 4)))
    loss = torch.nn.functional.cross_entropy(model(grids), labels)
    loss.backward()
    assert loss.isfinite() and all(p.grad is not None for p in model.parameters())
