"""Random shifts and noise of sounds."""

import pytest
import torch
from torch_geometric.transforms import Compose

from ccnn_geo.transforms import RandomNoise, RandomTimeShift
from tests.transforms.draws import assert_seeds_decide


def sound(length: int = 7) -> torch.Tensor:
    return torch.arange(1.0, 2 * length + 1).view(2, length)


@pytest.mark.parametrize("max_shift", [0, 3, 9])
def test_shifts_leave_silence(max_shift):
    whole = sound()
    shift = RandomTimeShift(max_shift, silence=-5)
    padded = torch.nn.functional.pad(whole, (max_shift, max_shift), value=-5)
    every = {tuple(w.flatten().tolist()) for w in padded.unfold(1, 7, 1).transpose(0, 1)}
    drawn = {tuple(shift(whole).flatten().tolist()) for _ in range(1000)}
    assert drawn == every and torch.equal(whole, sound())


def test_shifts_are_equally_probable():
    shift = RandomTimeShift(2)
    last = torch.stack([shift(sound())[0].argmax() for _ in range(3000)])
    moved = torch.stack([(shift(sound())[0] == 0).sum() for _ in range(3000)]).bincount() / 3000
    assert last.bincount(minlength=7)[4:].min() > 500
    torch.testing.assert_close(moved, torch.tensor([0.2, 0.4, 0.4]), atol=0.05, rtol=0)


@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_noise_has_the_ratio_that_was_asked_for(scale):
    wave = scale * torch.sin(torch.arange(40_000.0)).view(2, -1)
    for ratio in (0, 20):
        noise = RandomNoise((ratio, ratio))(wave) - wave
        found = 10 * torch.log10(wave.square().mean() / noise.square().mean())
        assert found.item() == pytest.approx(ratio, abs=0.2)
        assert noise.mean().abs() < 0.03 * noise.std()
        assert (noise[:, 1:] * noise[:, :-1]).mean().abs() < 0.03 * noise.var()  # white


def test_ratios_fill_their_range():
    wave = torch.sin(torch.arange(2000.0)).view(1, -1)
    noisy = RandomNoise((10, 30))
    found = torch.tensor([10 * torch.log10(wave.var() / (noisy(wave) - wave).var()) for _ in range(500)])
    assert 9 < found.min() < 11 and 29 < found.max() < 31
    assert found.mean().item() == pytest.approx(20, abs=1) and found.std().item() == pytest.approx(
        20 / 12**0.5, 0.1
    )


def test_silence_stays_silent():
    assert torch.equal(RandomNoise()(torch.zeros(1, 5)), torch.zeros(1, 5))


@pytest.mark.parametrize("transform", [lambda **k: RandomTimeShift(3, **k), RandomNoise])
def test_generators_and_global_seed(transform):
    def run(**kwargs):
        once = transform(**kwargs)
        return torch.stack([once(sound()) for _ in range(20)])

    assert_seeds_decide(run)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RandomTimeShift(-1), "max_shift >= 0"),
        (lambda: RandomTimeShift(1)(torch.zeros(5)), r"expected a grid \[C, L\], got \[5\]"),
        (lambda: RandomNoise((3, 2)), r"expected \(low, high\) in decibels, got \(3, 2\)"),
        (lambda: RandomNoise(0.1), r"expected \(low, high\) in decibels, got 0\.1"),
    ],
)
def test_wrong_arguments(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_pipeline_and_reprs():
    assert Compose([RandomTimeShift(2), RandomNoise()])(sound()).shape == (2, 7)
    assert repr(RandomTimeShift(100)) == "RandomTimeShift(100, silence=0)"
    assert repr(RandomNoise((5, 20))) == "RandomNoise(snr=(5, 20))"
