"""The change of sampling rate on generated recordings: tones in the place of digits."""

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from ccnn_geo import CCNN
from ccnn_geo.experiments.data import fsdd_folder
from ccnn_geo.experiments.engine import training_job
from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import resolution, table1

CYCLES = (8, 18, 36)  # a second; of 250 samples, so that every second sample carries up to 62
WORDS = fsdd_folder.WORDS[: len(CYCLES)]


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """Recordings as their publisher names them, 8 kHz."""
    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("recordings")
    for digit, cycles in enumerate(CYCLES):
        for index in range(40):
            t = np.arange(random.integers(6000, 8500)) / 8000
            tone = 8000 * np.sin(2 * np.pi * (cycles * t + random.random())) + 400 * random.normal(
                size=len(t)
            )
            wavfile.write(folder / f"{digit}_anna_{index}.wav", 8000, tone.astype(np.int16))
    return folder


@pytest.fixture(scope="module")
def root(tones, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    assert fsdd_folder.convert(tones, root / "fsdd") == {"train": 93, "validation": 12, "test": 15}
    return root


def test_digits_become_speech_commands(tones, root):
    assert sorted(p.name for p in (root / "fsdd").iterdir()) == [
        *("one", "testing_list.txt", "two", "validation_list.txt", "zero")
    ]
    rate, wave = wavfile.read(root / "fsdd/one/anna_nohash_17.wav")
    before = wavfile.read(tones / "1_anna_17.wav")[1].astype(float)
    assert rate == 16000 and np.abs(wave[::2] - before).max() < 0.05 * before.max()
    assert "one/anna_nohash_17.wav" in (root / "fsdd/validation_list.txt").read_text().split()
    assert (root / "fsdd/testing_list.txt").read_text().split()[:2] == [
        "zero/anna_nohash_0.wav",
        "zero/anna_nohash_1.wav",
    ]


def test_other_recordings_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no recordings"):
        fsdd_folder.convert(tmp_path, tmp_path / "out")
    wavfile.write(tmp_path / "0_anna_0.wav", 7000, np.zeros(9, np.int16))
    with pytest.raises(ValueError, match="rate that divides 16000, got 7000"):
        fsdd_folder.convert(tmp_path, tmp_path / "out")
    (tmp_path / "0_anna_0.wav").rename(tmp_path / "anna.wav")
    with pytest.raises(ValueError, match="expected <digit>_<speaker>_<index>"):
        fsdd_folder.convert(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("length", [128, 127])
def test_low_pass_keeps_what_half_the_rate_can_carry(length):
    t = torch.arange(length) / 128 - 0.5
    hull = torch.exp(-0.5 * (t / 0.12) ** 2)
    low, high = (torch.sin(2 * torch.pi * f * t) * hull for f in (10, 50))
    x = torch.stack([low, low + high]).unsqueeze(1)
    for y, expected in ((resolution.low_passed_half(x), low[::2]), (resolution.low_passed(x), low)):
        assert y.shape == (2, 1, len(expected))
        assert (y[:, 0] - expected).norm(dim=1).max() < 0.02 * expected.norm()


def test_tones_are_known_at_half_the_rate(root, tmp_path, monkeypatch, trained_here):
    # pictures take longer than so short a training
    monkeypatch.setattr("ccnn_geo.visualization.run_plots.draw_training", lambda *_: None)
    args = {**table1.DIGITS, "words": WORDS, "rate": 250}
    monkeypatch.setattr(
        resolution,
        "SMALL",
        {
            **resolution.SMALL,
            "data__dataset_args": args,
            "data__augment": {"shift": 20},
            "data__batch_size": 8,
            "model__preset": "ccnn_4_16",
            "model__num_blocks": 1,
            "model__omega_0": 2.0,
            "trainer__max_epochs": 6,
        },
    )
    out = tmp_path / "out"
    lines = run_study(resolution.STUDY, Options("small", root, (0,)), out, say=str).read_text().splitlines()
    table = [line.split(" | ") for line in lines if line.startswith(("| 1x", "| 0.5x"))]
    found = {cells[0][2:]: [float(value) for value in cells[1:3]] for cells in table}
    assert list(found) == list(resolution.FORMS)
    assert min(found["1x"]) > 90 and min(found["0.5x, after a low-pass"]) > 90
    assert max(found["0.5x, every second sample, rate not told"]) < 90
    assert table[1][4].startswith("96.22") and (out / "small.png").stat().st_size > 1000
    half = training_job.test(  # what table1 reports, by the command line
        out / "jobs/small-0", "half", data__dataset="speech_half", data__dataset_args={**args, "rate": 125}
    )
    assert half == pytest.approx(found[resolution.HALF][1], abs=0.1)


def test_recordings_must_be_there(tmp_path):
    for scale, folder in resolution.FOLDERS.items():
        with pytest.raises(FileNotFoundError, match=f"no .*{folder}, expected fsdd/"):
            resolution.jobs(Options(scale, tmp_path, (0,)))


def test_power_beyond_half_the_rate_is_that_of_the_taps():
    kwargs = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "causal": True, "window_init": 0.2}
    low = CCNN(1, 2, 1, omega_0=0.5, **kwargs)
    high = CCNN(1, 2, 1, omega_0=1000.0, **kwargs)
    assert resolution.power_beyond_half(low, 512) < 0.1
    assert resolution.power_beyond_half(high, 512) > 0.15
