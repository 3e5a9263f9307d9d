"""Data of the trials with masks, targets and labels of times: what is written is what the archives say."""

import csv
import itertools

import numpy as np
import pytest
from scipy.io import wavfile

from ccnn_geo.datasets import CSVSeries, ImageFolder
from ccnn_geo.experiments.data import (
    cluttered_digits,
    digit_images,
    scene_arrays,
    spoken_levels,
    spoken_series,
    stays_targets,
    turned_digits,
)
from ccnn_geo.io import read_frame

pytest.importorskip("PIL")
RNG = np.random.default_rng(0)
FEW = {"train": 6, "validation": 2, "test": 2}


@pytest.fixture
def digits(tmp_path):
    """Squares for digits: large ones are of a large class."""
    arrays = {}
    for part, count in (("train", 60), ("test", 20)):
        x, y = np.zeros((count, 28, 28), np.uint8), np.arange(count) % 10
        for image, label in zip(x, y, strict=True):
            image[4 : 14 + label, 4 : 14 + label] = 200
        arrays |= {f"x_{part}": x, f"y_{part}": y}
    np.savez(tmp_path / "digits.npz", **arrays)
    return tmp_path / "digits.npz"


def test_masks_are_of_the_digits(digits, tmp_path):
    cluttered_digits.convert(digits, tmp_path / "out", FEW)
    for split, count in FEW.items():
        data = ImageFolder(tmp_path / "out", split, channels=1)
        assert len(data) == count and data.classes[:2] == ["background", "zero"]
        for image, labels in data:
            found = labels.unique().tolist()
            assert len(found) == 2 and found[0] == 0
            assert int((labels > 0).sum()) == (10 + found[1] - 1) ** 2  # the square is that of its class
            assert image[0][labels > 0].unique().numel() == 1


def test_folders_of_digits(digits, tmp_path):
    assert digit_images.convert(digits, tmp_path / "out", {"train": 30, "validation": 20}) == {
        "train": 30,
        "validation": 20,
    }
    train, held = (ImageFolder(tmp_path / "out", split, channels=1) for split in FEW if split != "test")
    assert (len(train), len(held)) == (30, 20) and train.classes == list("0123456789")
    for image, label in [*train, *held]:
        assert int((image > image.min()).sum()) == (10 + label) ** 2
    with pytest.raises(ValueError, match="expected as many labels as digits, 61 or more, got 60 and 60"):
        digit_images.convert(digits, tmp_path / "more", {"train": 41, "validation": 20})
    assert not (tmp_path / "more").exists()
    digit_images.convert(digits, tmp_path / "all", {"train": 30, "validation": 20, "test": 10})
    assert len(ImageFolder(tmp_path / "all", "test", channels=1)) == 10


def test_angles_are_those_of_the_images(tmp_path):
    """Of bars, whose angle follows from their second moments."""
    bars = np.zeros((60, 28, 28), np.uint8)
    bars[:, 13:15, 4:24] = 255
    np.savez(tmp_path / "bars.npz", x_train=bars, x_test=bars)
    turned_digits.convert(tmp_path / "bars.npz", tmp_path / "out", {**FEW, "train": 40})
    data = ImageFolder(tmp_path / "out", channels=1)
    angles = data.y[:, 0].numpy()
    assert data.target_units == ["degree"] and np.abs(angles).max() <= 60 and angles.std() > 25
    y, x = np.mgrid[:28, :28] - 13.5
    for (image, _), angle in zip(data, angles, strict=True):
        weight = (image[0] - image[0].min()).numpy()
        cross, spread = (weight * x * y).sum(), (weight * (x**2 - y**2)).sum()
        assert -np.degrees(np.arctan2(2 * cross, spread)) / 2 == pytest.approx(angle, abs=1.5)


@pytest.fixture
def spoken(tmp_path):
    """Tones between silence, of known level and length."""
    rate, waves = 8000, []
    for i in range(24):
        wave = np.zeros(3200 + 160 * i)
        wave[800:2400] = 0.1 * (1 + i % 3) * np.sin(np.arange(1600) * (0.2 + i % 10 / 5))
        waves.append(np.rint(wave * 2**15).astype(np.int16))
    length = np.array([len(wave) for wave in waves], np.int32)
    np.savez(
        tmp_path / "spoken.npz",
        audio=np.concatenate(waves),
        offset=np.concatenate([[0], np.cumsum(length)]),
        length=length,
        label=np.arange(24, dtype=np.uint8) % 10,
        index=np.arange(24, dtype=np.int16),
        is_test=np.arange(24) % 4 == 0,
        sample_rate=np.array(rate),
    )
    return tmp_path / "spoken.npz", waves


def test_levels_are_those_of_the_tones(spoken, tmp_path):
    source, waves = spoken
    counts = spoken_levels.convert(source, tmp_path / "out")
    assert counts == {"train": 16, "validation": 2, "test": 6}
    with (tmp_path / "out/test/targets.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row, i in zip(rows, range(0, 24, 4), strict=True):
        _, wave = wavfile.read(tmp_path / "out/test" / row["file"])
        np.testing.assert_array_equal(wave, waves[i])
        assert float(row["voiced [s]"]) == pytest.approx(0.2, abs=0.021)
        power = np.square(waves[i][800:2400] / 2**15).mean()
        assert float(row["level [dB]"]) == pytest.approx(10 * np.log10(power), abs=0.3)


def test_tables_say_which_word_is_heard(spoken, tmp_path):
    spoken_series.convert(spoken[0], tmp_path / "out", {"train": 6, "test": 2})
    data = CSVSeries(tmp_path / "out", label="label")
    assert len(data.variables) == 8 and "silence" in data.classes and len(data) == 6
    for sample in data:
        labels = [data.classes[y] if y >= 0 else "" for y in sample.y.tolist()]
        loudest = sample.x[:, :8].max(dim=1).values
        loud = [float(v) for v, name in zip(loudest, labels, strict=True) if name not in ("", "silence")]
        quiet = [float(v) for v, name in zip(loudest, labels, strict=True) if name == "silence"]
        assert min(loud) > max(quiet)


def test_targets_are_those_of_the_records(tmp_path):
    minute = np.array([0, 0, 60, 0, 30], np.int16)
    arrays = {
        "minute": minute,
        "param": np.array([0, 1, 1, 0, 1], np.uint8),
        "value": np.array([70, 80, 90, 40, 60], np.float32),
        "offset": np.array([0, 3, 5]),
        "record": np.array([11, 12]),
        "length_of_stay": np.array([5, -1]),
        "param_names": np.array(["Age", "HR"]),
    }
    np.savez(tmp_path / "stays.npz", **arrays)
    stays_targets.convert(tmp_path / "stays.npz", tmp_path / "out")
    assert (tmp_path / "out/train/11.csv").read_text() == "time,variable,value\n0.000,HR,80\n1.000,HR,90\n"
    table = (tmp_path / "out/train/targets.csv").read_text()
    assert table == "file,age [years],stay [days]\n11.csv,70,5\n12.csv,40,\n"


def test_wards_are_classes(tmp_path):
    arrays = {
        "minute": np.array([0, 30, 0, 0], np.int16),
        "param": np.array([0, 1, 0, 1], np.uint8),
        "value": np.array([3, 60, 1, 70], np.float32),
        "offset": np.array([0, 2, 4]),
        "record": np.array([11, 12]),
        "length_of_stay": np.array([5, -1]),
        "param_names": np.array(["ICUType", "HR"]),
    }
    np.savez(tmp_path / "stays.npz", **arrays)
    counts = stays_targets.convert_wards(tmp_path / "stays.npz", tmp_path / "out")
    assert counts == {"medical": 1, "coronary": 1}
    assert (tmp_path / "out/medical/11.csv").read_text() == "time,variable,value\n0.500,HR,60\n"


@pytest.mark.parametrize("las", [False, True])
def test_every_point_is_in_one_scan(tmp_path, las):
    xyz = RNG.uniform(0, 100, (300, 3)).astype(np.float32)
    about = {
        "intensity": RNG.integers(1, 900, 300),
        "return_number": np.ones(300, int),
        "classification": np.arange(300) % 3,
    }
    np.savez(tmp_path / "s.npz", Topography_xyz=xyz, **{f"Topography_{name}": v for name, v in about.items()})
    scene_arrays.main([str(tmp_path / "s.npz"), str(tmp_path / "out"), *(["--las"] if las else [])])
    name = "Topography.las" if las else "Topography.npy"
    splits = ("train", "test") if las else ("train", "validation", "test")
    frames = [read_frame(tmp_path / "out" / split / name) for split in splits]
    for one, other in itertools.pairwise(frames):
        assert one.xyz[:, 0].max() <= other.xyz[:, 0].min()
    order = np.argsort(xyz[:, 0], kind="stable")
    found = np.concatenate([frame.xyz for frame in frames])
    again = np.argsort(found[:, 0], kind="stable")
    np.testing.assert_allclose(found[again], xyz[order], rtol=0, atol=6e-4 if las else 0)
    strength = np.concatenate([frame.fields["intensity"] for frame in frames])[again]
    np.testing.assert_allclose(
        strength, about["intensity"][order] / (65535 if las else about["intensity"].max())
    )
    labels = np.concatenate([frame.labels for frame in frames])
    np.testing.assert_array_equal(labels[again], about["classification"][order])
