"""Recordings as one array in a file, and what is computed of it."""

import json
import pickle

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from ccnn_geo.datasets.audio.clip_features import prepare_mfcc, statistics
from ccnn_geo.datasets.audio.clips import ClipSettings, load_clips, prepare_clips
from ccnn_geo.datasets.base import conversion
from ccnn_geo.io.files.mapped import MappedArray, write_rows
from ccnn_geo.transforms.mfcc import MFCC
from ccnn_geo.transforms.pipelines.recordings import EncodeSignal


@pytest.fixture
def write(tmp_path):
    """Writes recordings of some lengths, rates and numbers of channels; their samples are random."""
    rng = np.random.default_rng(0)

    def files(*forms):
        paths = []
        for i, (length, rate, channels) in enumerate(forms):
            data = rng.integers(-(2**15), 2**15, (length, channels), dtype=np.int16)
            paths.append(tmp_path / f"{i}.wav")
            wavfile.write(paths[-1], rate, data)
        return paths

    return files


def prepared(paths, target, settings=None, **kwargs):
    prepare_clips(paths, {"y": range(len(paths))}, settings or ClipSettings(), target, **kwargs)
    return load_clips(target, ["y"])


def test_samples_are_kept_exactly(tmp_path, write):
    paths = write(*[(50, 8000, 1)] * 5)
    found = prepared(paths, tmp_path / "out" / "all")
    assert found.waves.shape == (5, 1, 50) and found.rate == 8000
    assert found.extra["y"].tolist() == [0, 1, 2, 3, 4] and found.samples.tolist() == [50] * 5
    for path, row in zip(paths, found.waves, strict=True):
        np.testing.assert_array_equal(row[0], wavfile.read(path)[1])


def test_lengths_rates_and_channels_are_made_alike(tmp_path, write):
    paths = write((40, 8000, 1), (60, 8000, 2), (100, 16000, 1))
    found = prepared(paths, tmp_path / "mono", ClipSettings(length=50, rate=8000))
    assert found.waves.shape == (3, 1, 50) and found.samples.tolist() == [40, 60, 50]
    stereo = wavfile.read(paths[1])[1].astype(float).mean(1)
    assert np.abs(found.waves[1][0] - stereo[5:55]).max() <= 0.5
    assert not found.waves[0][0, :5].any() and not found.waves[0][0, -5:].any()
    both = prepared(paths[1:2], tmp_path / "stereo", ClipSettings(mono=False))
    np.testing.assert_array_equal(both.waves[0], wavfile.read(paths[1])[1].T)


@pytest.mark.parametrize(
    ("second", "mono", "message"),
    [
        ((60, 8000, 1), True, "1.wav: 60 samples, .*0.wav has 50; give a length"),
        ((50, 11025, 1), True, "1.wav: 11025 samples per second, .*0.wav has 8000; give a rate"),
        ((50, 8000, 2), False, "1.wav: 2 channels, .*0.wav has 1; mono=True averages"),
    ],
)
def test_files_that_do_not_agree(tmp_path, write, second, mono, message):
    with pytest.raises(ValueError, match=message):
        prepared(write((50, 8000, 1), second), tmp_path / "out", ClipSettings(mono=mono))
    assert not list(tmp_path.glob("*out*.n*"))


def test_all_broken_files_are_named_and_nothing_is_left(tmp_path, write):
    paths = write(*[(50, 8000, 1)] * 4)
    paths[1].write_bytes(b"RIFF")
    paths[3].unlink()
    with pytest.raises(ValueError, match=r"2 of 4 recordings cannot be used:\n.*1\.wav.*\n.*3\.wav"):
        prepared(paths, tmp_path / "out")
    assert not list(tmp_path.glob("*out*.n*"))


def test_a_check_may_refuse(tmp_path, write):
    def check(samples):
        raise ValueError(f"lengths {samples.tolist()}")

    with pytest.raises(ValueError, match=r"lengths \[50, 50\]"):
        prepared(write(*[(50, 8000, 1)] * 2), tmp_path / "out", check=check)
    assert not list(tmp_path.glob("*out*.n*"))


def test_a_second_time_nothing_is_read(tmp_path, write):
    paths = write(*[(50, 8000, 1)] * 2)
    first = prepared(paths, tmp_path / "out")
    for path in paths:
        path.unlink()
    second = prepared(paths, tmp_path / "out")
    np.testing.assert_array_equal(first.waves[:], second.waves[:])


def test_what_a_killed_process_left_is_cleared_away(tmp_path, write):
    (tmp_path / ".out.npy.77.tmp").write_bytes(b"half")
    (tmp_path / "out.npy").write_bytes(b"without its index")
    assert len(prepared(write((50, 8000, 1)), tmp_path / "out").waves) == 1
    assert not list(tmp_path.glob(".out*.tmp"))


def test_several_processes_do_the_same(tmp_path, write, sent):
    paths = write(*[(50, 8000, 1)] * 7)
    one = prepared(paths, tmp_path / "w0", num_workers=0).waves[:]
    asked = sent(conversion)
    two = prepared(paths, tmp_path / "w2", num_workers=2).waves[:]
    np.testing.assert_array_equal(one, two)
    assert asked == [2]


def test_a_damaged_index_is_named(tmp_path, write):
    prepared(write((50, 8000, 1)), tmp_path / "out")
    (tmp_path / "out.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"out\.npz"):
        load_clips(tmp_path / "out", ["y"])


@pytest.mark.parametrize("option", ["length", "rate"])
def test_settings_are_positive(option):
    with pytest.raises(ValueError, match=f"{option} must be positive, got 0"):
        ClipSettings(**{option: 0})


def test_mapped_rows_travel_as_a_path(tmp_path):
    rows = np.arange(30_000, dtype=np.int16).reshape(100, 3, 100)
    write_rows(tmp_path / "a.npy", np.int16, rows.shape, (rows[i : i + 7] for i in range(0, 100, 7)))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), rows)
    mapped = MappedArray(tmp_path / "a.npy")
    assert len(mapped) == 100 and mapped.shape == (100, 3, 100)
    sent = pickle.dumps(mapped)
    assert len(sent) < 1000
    np.testing.assert_array_equal(pickle.loads(sent)[7], rows[7])
    mapped[7][:] = 0  # a copy
    np.testing.assert_array_equal(mapped[7], rows[7])


def rows_file(tmp_path, values):
    write_rows(tmp_path / "rows.npy", values.dtype, values.shape, [values])
    return MappedArray(tmp_path / "rows.npy")


def test_statistics_are_of_the_channels_and_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("ccnn_geo.datasets.audio.clip_features.CHUNK", 3)
    values = np.random.default_rng(0).normal([[1], [5]], [[2], [0.5]], (20, 2, 50)).astype(np.float32)
    rows = np.arange(0, 20, 2)
    mean, std = statistics(rows_file(tmp_path, values), rows, 4.0, tmp_path / "s.json")
    torch.testing.assert_close(mean, torch.from_numpy(values[rows].mean((0, 2)) / 4))
    torch.testing.assert_close(std, torch.from_numpy(values[rows].std((0, 2)) / 4))
    assert json.loads((tmp_path / "s.json").read_text())["rows"] == 10
    again, _ = statistics(rows_file(tmp_path, 0 * values), rows, 4.0, tmp_path / "s.json")
    assert torch.equal(again, mean)  # read, not computed


def test_encoding():
    row = np.array([[0, 2, 4, 6, 8], [5, 5, 5, 5, 5]], np.int16)
    assert torch.equal(EncodeSignal(2.0)(row), torch.tensor([[0.0, 1, 2, 3, 4], [2.5] * 5]))
    moments = torch.tensor([2.0, 2.5]), torch.tensor([2.0, 0.0])
    expected = torch.tensor([[-1.0, 0, 1], [0, 0, 0]])
    torch.testing.assert_close(EncodeSignal(2.0, moments, step=2)(row), expected, rtol=1e-4, atol=0)


def test_coefficients_of_every_channel(tmp_path, monkeypatch):
    monkeypatch.setattr("ccnn_geo.datasets.audio.clip_features.CHUNK", 2)
    values = np.random.default_rng(0).integers(-(2**15), 2**15, (3, 2, 400), dtype=np.int16)
    found = prepare_mfcc(rows_file(tmp_path, values), MFCC(n_mfcc=5), tmp_path / "mfcc.npy")
    expected = MFCC(n_mfcc=5)(torch.from_numpy(values / 2**15).float()).flatten(1, 2)
    assert found.shape == (3, 10, 5)
    torch.testing.assert_close(torch.from_numpy(found[:]), expected, rtol=1e-4, atol=1e-4)
    again = prepare_mfcc(rows_file(tmp_path, values), MFCC(n_mfcc=7), tmp_path / "mfcc.npy")
    assert again.shape == found.shape  # read, not computed
