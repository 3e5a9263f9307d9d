"""Recordings other than wav, read by libsndfile."""

import numpy as np
import pytest
import soundfile

from ccnn_geo.datasets import WavFolder
from ccnn_geo.io import read_recording

WAVE = np.random.default_rng(0).integers(-9000, 9000, (400, 2), dtype=np.int16)


@pytest.mark.parametrize("name", ["a.flac", "a.AIFF", "a.au"])
def test_formats_without_loss(tmp_path, name):
    soundfile.write(tmp_path / name, WAVE, 8000)
    samples, rate = read_recording(tmp_path / name)
    assert rate == 8000 and samples.dtype == np.float32
    np.testing.assert_array_equal(samples * 2**15, WAVE.T)


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3"])
def test_formats_with_loss(tmp_path, name):
    tone = np.sin(np.arange(16000) / 9) / 2
    soundfile.write(tmp_path / name, tone, 16000)
    samples, rate = read_recording(tmp_path / name)
    assert rate == 16000 and abs(samples.shape[1] - 16000) < 2500
    assert abs(np.abs(samples).max() - 0.5) < 0.1


def test_bad_files_are_named(tmp_path):
    (tmp_path / "a.flac").write_bytes(b"fLaC and nothing else")
    with pytest.raises(ValueError, match=r"a\.flac: expected a whole recording"):
        read_recording(tmp_path / "a.flac")
    soundfile.write(tmp_path / "b.flac", WAVE[:0], 8000)
    with pytest.raises(ValueError, match=r"b\.flac: expected .*got"):
        read_recording(tmp_path / "b.flac")
    with pytest.raises(FileNotFoundError):
        read_recording(tmp_path / "none.flac")


def test_without_the_extra_it_is_named(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.flac", WAVE, 8000)
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    with pytest.raises(ImportError, match=r"pip install 'ccnn_geo\[audio\]'"):
        read_recording(tmp_path / "a.flac")


def test_a_folder_may_hold_several_formats(tmp_path):
    for number, name in enumerate(("cat", "dog")):
        (tmp_path / "train" / name).mkdir(parents=True)
        soundfile.write(tmp_path / "train" / name / "0.flac", WAVE, 8000)
        soundfile.write(tmp_path / "train" / name / "1.wav", WAVE // (1 + number), 8000)
    data = WavFolder(tmp_path, normalize=False)
    assert data.names == ["train/cat/0.flac", "train/cat/1.wav", "train/dog/0.flac", "train/dog/1.wav"]
    assert (data[0][0] == data[1][0]).all()
