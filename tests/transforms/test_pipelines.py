"""What prepares a sample travels as plain values, and makes of a file what the data set has."""

import gzip
import json
import struct

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import wavfile

from ccnn_geo.datasets import MNIST, CSVSeries, ImageFolder, PermutedMNIST, SequentialMNIST, WavFolder
from ccnn_geo.transforms.pipelines.base import make_pipeline

RNG = np.random.default_rng


def again(pipeline):
    """A pipeline as it is read from a file."""
    return make_pipeline(json.loads(json.dumps(pipeline.settings(), allow_nan=False)))


def answers(data, root):
    """Samples of a data set, and what its pipeline makes of the same files."""
    pipeline = again(data.pipeline)
    made = [pipeline(pipeline.read(root / name)) for name in data.names]
    return [data[i] for i in range(len(data))], made


@pytest.fixture
def pictures(tmp_path):
    for split in ("train", "test"):
        for number, name in enumerate(("cat", "dog")):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(3):
                pixels = RNG(10 * i + number).integers(256, size=(9 + i, 12, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{i}.png")
    return tmp_path


@pytest.mark.parametrize("channels", [1, 3])
def test_images(pictures, channels):
    for split in ("train", "test"):
        samples, made = answers(ImageFolder(pictures, split, size=(6, 8), channels=channels), pictures)
        assert all(torch.equal(x, found) for (x, _), found in zip(samples, made, strict=True))


def test_images_in_memory(pictures):
    data = ImageFolder(pictures, size=(6, 8))
    pipeline, path = data.pipeline, pictures / data.names[0]
    with Image.open(path) as image:
        pixels = np.array(image)
        sources = [image, pixels, torch.from_numpy(pixels).movedim(-1, 0)]
        assert all(torch.equal(pipeline(pipeline.read(source)), data[0][0]) for source in sources)
    for source, error, message in (
        (pixels / 255.0, ValueError, r"expected bytes \[H, W\].*got \[9, 12, 3\] of float64"),
        (pixels[..., :2], ValueError, r"got \[9, 12, 2\] of uint8"),
        ([1, 2], TypeError, "expected an array or a Pillow image, got list"),
    ):
        with pytest.raises(error, match=message):
            pipeline.read(source)


@pytest.mark.parametrize("cls", [MNIST, SequentialMNIST, PermutedMNIST])
def test_digits_as_image_row_and_in_another_order(tmp_path, cls):
    images = RNG(0).integers(256, size=(12, 28, 28), dtype=np.uint8)
    for name, head, body in (
        ("images-idx3", (0x803, 12, 28, 28), images),
        ("labels-idx1", (0x801, 12), images[:, 0, 0] % 10),
    ):
        with gzip.open(tmp_path / f"t10k-{name}-ubyte.gz", "wb") as file:
            file.write(struct.pack(f">{len(head)}I", *head) + body.tobytes())
    data = cls(tmp_path, "test", checksum=None, check_counts=False)
    pipeline = again(data.pipeline)
    for i in range(3):
        assert torch.equal(pipeline(pipeline.read(images[i])), data[i][0])
    twice = np.kron(images[0], np.ones((2, 2), np.uint8))  # another size is scaled
    assert pipeline(pipeline.read(twice)).shape == data[0][0].shape


OPTIONS = {
    "waves": {},
    "two channels": {"mono": False},
    "as they are": {"normalize": False},
    "coefficients": {"mfcc": {"n_mfcc": 5, "n_fft": 64, "n_mels": 10}},
    "both": {"mono": False, "mfcc": {"n_mfcc": 5, "n_fft": 64, "n_mels": 10}, "rate": 4000, "length": 200},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_recordings(tmp_path, options):
    for split in ("train", "test"):
        for number, name in enumerate(("cat", "dog")):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(2):
                wave = RNG(10 * i + number).integers(-9000, 9000, (500, 2), dtype=np.int16)
                wavfile.write(tmp_path / split / name / f"{i}.wav", 8000, wave)
    for split in ("train", "test"):
        samples, made = answers(WavFolder(tmp_path, split, **options), tmp_path)
        for (x, _), found in zip(samples, made, strict=True):
            torch.testing.assert_close(found, x, rtol=1e-5, atol=2e-5)


def test_recordings_in_memory_and_of_another_form(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "train" / name).mkdir(parents=True)
        wavfile.write(
            tmp_path / "train" / name / "0.wav", 8000, RNG(0).integers(-9000, 9000, (500, 2), dtype=np.int16)
        )
    data = WavFolder(tmp_path, mono=False)
    pipeline = data.pipeline
    wave = wavfile.read(tmp_path / data.names[0])[1].T / np.float32(2**15)
    torch.testing.assert_close(pipeline(pipeline.read((wave, 8000))), data[0][0])
    assert pipeline(pipeline.read((wave.repeat(2, axis=1), 16000))).shape == (
        2,
        500,
    )  # of another rate and length
    with pytest.raises(ValueError, match="1 channels, expected 2 as in training"):
        pipeline(pipeline.read((wave[0], 8000)))
    for source, error, message in (
        ((wave * 32768, 8000), ValueError, "expected floating point in this range"),
        ((wave * np.nan, 8000), ValueError, "expected finite samples"),
        (wave, TypeError, "expected a path or a pair of samples and their rate, got ndarray"),
    ):
        with pytest.raises(error, match=message):
            pipeline.read(source)


@pytest.fixture
def tables(tmp_path):
    for split in ("train", "test"):
        for number, name in enumerate(("calm", "storm")):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(3):
                rng = RNG(10 * i + number)
                rows = [
                    f"{t:.2f},{rng.normal():.3f},{'' if t % 2 > 1 else rng.normal()}"
                    for t in rng.uniform(0, 9, 20)
                ]
                (tmp_path / split / name / f"{i}.csv").write_text("\n".join(["time,wind,rain", *rows]))
    return tmp_path


@pytest.mark.parametrize("tails", [0.0, 0.1])
def test_series(tables, tails):
    for split in ("train", "test"):
        samples, made = answers(CSVSeries(tables, split, tails=tails), tables)
        for sample, found in zip(samples, made, strict=True):
            assert torch.equal(sample.x, found.x) and torch.equal(sample.pos, found.pos)


def test_series_in_memory_and_of_other_variables(tables):
    data = CSVSeries(tables)
    pipeline = data.pipeline
    time, values = [1.0, 0.0], [[np.nan, 2.0], [1.0, np.nan]]
    found = pipeline(pipeline.read((time, values)))
    standard = (np.array([1.0, 2.0]) - data.scale.mean) / data.scale.std
    expected = torch.tensor([[standard[0], 0, 1, 0], [0, standard[1], 0, 1]], dtype=torch.float32)
    torch.testing.assert_close(found.x, expected)
    torch.testing.assert_close(found.pos, torch.tensor([[-1.0], [2 / data.span - 1]]))
    (tables / "other.csv").write_text("time,snow\n0,1\n")
    (tables / "dates.csv").write_text("time,wind\n2024-01-01,1\n")
    for name, message in (
        ("other", "the variable 'snow' is not in the training files, expected some of wind, rain"),
        ("dates", "times are dates, .* numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            pipeline(pipeline.read(tables / f"{name}.csv"))
    with pytest.raises(ValueError, match=r"values \[N, 2\], got \[2\] and \[2, 1\]"):
        pipeline.read((time, [[1.0], [2.0]]))


def test_settings_that_are_none():
    with pytest.raises(ValueError, match=r"expected kind to be one of .*shape, part, image, "):
        make_pipeline({"kind": "song"})
    with pytest.raises(ValueError, match="expected mean and deviation above 0"):
        make_pipeline({"kind": "image", "mean": [0.5], "std": [0.0]})
