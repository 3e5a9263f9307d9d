"""Values of a command line against the types that data sets annotate."""

import re

import numpy as np
import pytest
from scipy.io import wavfile

from ccnn_geo._base.argument_types import fits, types_of
from ccnn_geo.datasets.audio.wav_folder import WavFolder
from ccnn_geo.datasets.base.workers import mapper
from ccnn_geo.datasets.registry import PLACES, dataset_class
from ccnn_geo.training.data.sources import check_keywords, keywords


@pytest.mark.parametrize("name", PLACES)
def test_all_arguments_have_types(name):
    assert keywords(dataset_class(name)) <= types_of(dataset_class(name)).keys()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("folder", {"num_points": "abc"}, "expected num_points to be int or None, got 'abc'"),
        ("wav_folder", {"rate": 8000.0}, "expected rate to be int or None, got 8000.0"),
        ("wav_folder", {"mono": "yes please"}, "expected mono to be bool, got 'yes please'"),
        ("csv_series", {"tails": "1e-3"}, "expected tails to be float, got '1e-3'"),
        ("image_folder", {"size": [32]}, "expected size to be int or tuple[int, int] or None, got [32]"),
        ("image_folder", {"cache": 3}, "expected cache to be str or PathLike[str] or None, got 3"),
        ("lidar", {"classes": 1}, "expected classes to be Sequence[int] or None, got 1"),
        ("lidar", {"classes": [1, True]}, "expected classes to be Sequence[int] or None, got [1, True]"),
        ("lidar", {"features": {"x": 1}}, "expected features to be Sequence[str], got {'x': 1}"),
        ("lidar", {"tile": "wide"}, "expected tile to be float or None, got 'wide'"),
    ],
)
def test_values_of_other_types_are_refused(name, arguments, message):
    with pytest.raises(ValueError, match=re.escape(f"data.dataset_args: {message}") + "$"):
        check_keywords(dataset_class(name), arguments)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("image_folder", {"size": [32, 48], "mean": [0, 0.5, 1], "cache": "there"}),
        ("wav_folder", {"mfcc": {"n_mfcc": 20}, "length": None, "rate": 8000}),
        ("lidar", {"classes": (1, 2), "tile": 3, "columns": None, "features": ["x"]}),
        ("listops", {"generate": {"train": 10}, "grammar": object()}),
    ],
)
def test_values_of_these_types_are_taken(name, arguments):
    check_keywords(dataset_class(name), arguments)


def test_numbers_of_numpy_are_numbers():
    assert fits(np.int64(3), int) and fits(np.float32(3), float | None) and not fits(np.float32(3), int)


@pytest.mark.parametrize(
    ("mfcc", "message"),
    [
        ({"n_mfcc": "20"}, "mfcc: expected n_mfcc to be int, got '20'"),
        ({"n": 20}, "mfcc: expected some of .*, got n$"),
    ],
)
def test_arguments_of_an_argument(tmp_path, mfcc, message):
    for name in "ab":
        (tmp_path / "train" / name).mkdir(parents=True)
        wavfile.write(tmp_path / "train" / name / "0.wav", 8000, np.arange(800, dtype=np.int16))
    with pytest.raises(ValueError, match=message):
        WavFolder(tmp_path, mfcc=mfcc)


def test_no_fewer_processes_than_none():
    with pytest.raises(ValueError, match="num_workers must be 0 or more, or None, got -1"), mapper(-1):
        pass
