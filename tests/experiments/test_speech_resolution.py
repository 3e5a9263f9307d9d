"""The change of sampling rate on generated recordings: tones in the place of digits."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.experiments import speech_resolution
from ccnn_geo.experiments.speech_resolution import load, low_passed, low_passed_half, main

CYCLES = (3, 7, 14)  # per 128 samples: every second sample carries up to 32


@pytest.fixture
def archive(tmp_path):
    random = np.random.default_rng(0)
    waves, label, index = [], [], []
    for i in range(50):
        for k, cycles in enumerate(CYCLES):
            size = random.integers(90, 128) if i != 10 else 150
            tone = np.sin(2 * np.pi * (cycles * np.arange(size) / 128 + random.random()))
            waves.append((1000 * tone + 50 * random.normal(size=size)).astype(np.int16))
            label.append(k)
            index.append(i)
    np.savez(
        tmp_path / "digits.npz",
        audio=np.concatenate(waves),
        offset=np.cumsum([0, *map(len, waves)]),
        length=np.array([len(w) for w in waves], dtype=np.int32),
        label=np.array(label, dtype=np.uint8),
        index=np.array(index, dtype=np.int16),
        is_test=np.array(index) < 5,
    )
    return tmp_path / "digits.npz"


@pytest.mark.parametrize("normalise", ["recording", "channel"])
def test_parts_are_apart_and_waveforms_keep_their_shape(archive, normalise):
    parts = load(archive, 128, normalise)
    assert {name: len(part.y) for name, part in parts.items()} == {"train": 120, "validation": 15, "test": 15}
    with np.load(archive) as data:
        audio, offset, index = data["audio"].astype(np.float64), data["offset"], data["index"]
        raw = [audio[a:b] for a, b in pairwise(offset)]
        rows = {"test": index < 5, "validation": (index >= 5) & (index % 10 == 7)}
        rows["train"] = ~rows["test"] & ~rows["validation"]
    for name, part in parts.items():
        for x, size, i in zip(part.x[:, 0], part.size, np.flatnonzero(rows[name]), strict=True):
            cut = raw[i] if len(raw[i]) <= 128 else raw[i][11:139]
            assert size == len(cut)
            assert np.corrcoef(x[:size].numpy(), cut)[0, 1] == pytest.approx(1, abs=1e-5)
            assert not x[size:].any()
    train = parts["train"]
    heard = torch.cat([x[0, :size] for x, size in zip(train.x, train.size, strict=True)])
    assert heard.mean().abs() < 1e-3 and heard.std() == pytest.approx(1, abs=1e-3)


def test_recordings_move_as_a_whole(archive):
    part = load(archive, 128, "recording")["train"]
    for moved in (part.centred(), part.shifted()):
        for x, size, y in zip(part.x[:, 0], part.size, moved[:, 0], strict=True):
            begin = int(y.nonzero()[0]) - int(x.nonzero()[0])
            assert torch.equal(y[begin : begin + size], x[:size])
            assert y.count_nonzero() == x.count_nonzero()
    room = 128 - part.size
    assert torch.equal(part.centred()[room >= 2][:, 0, 0].abs(), torch.zeros(int((room >= 2).sum())))


@pytest.mark.parametrize("length", [128, 127])
def test_low_pass_keeps_what_half_the_rate_can_carry(length):
    t = torch.arange(length) / 128 - 0.5
    hull = torch.exp(-0.5 * (t / 0.12) ** 2)
    low, high = (torch.sin(2 * torch.pi * f * t) * hull for f in (10, 50))
    x = torch.stack([low, low + high]).unsqueeze(1)
    for y, expected in ((low_passed_half(x), low[::2]), (low_passed(x), low)):
        assert y.shape == (2, 1, len(expected))
        assert (y[:, 0] - expected).norm(dim=1).max() < 0.02 * expected.norm()


def test_tones_are_known_at_half_the_rate(archive, tmp_path, capsys):
    weights = tmp_path / "weights.pt"
    command = [
        str(archive),
        "--preset=ccnn_4_16",
        "--length=128",
        "--omega-0=2",
        "--lr=0.02",
        f"--weights={weights}",
    ]
    main([*command, "--epochs=8", "--warmup=1", "--validate-every=8"])
    first = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("epoch") for line in first) == 8
    assert first[1] == "120 train, 15 validation, 15 test"
    table = {line[:44].strip(): [float(v) for v in line[44:].split()] for line in first[-5:]}
    assert len(table) == 5
    assert min(table["1x"]) > 90
    assert min(table["0.5x, after a low-pass"]) > 90
    assert max(table["0.5x, every second sample, rate not told"]) < 90

    main([*command, "--no-test"])  # from the file, without training
    again = capsys.readouterr().out.splitlines()
    assert [line.rsplit(maxsplit=1)[0].rstrip() for line in first[-5:]] == [
        line.rstrip() for line in again[-5:]
    ]


def test_power_beyond_half_the_rate_is_that_of_the_taps():
    kwargs = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "causal": True, "window_init": 0.2}
    low = CCNN(1, 2, 1, omega_0=0.5, **kwargs)
    high = CCNN(1, 2, 1, omega_0=1000.0, **kwargs)
    assert max(speech_resolution.power_beyond_half(low, 512, 2 / 511)) < 0.1
    assert min(speech_resolution.power_beyond_half(high, 512, 2 / 511)) > 0.15
