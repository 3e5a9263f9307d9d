"""MFCC against librosa's numbers, which ``make_mfcc_librosa.py`` beside this file has written, and by itself."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import scipy.fft
import torch

from ccnn_geo.transforms.mfcc import MFCC, cosine_transform, mel_triangles

MAKER = runpy.run_path(str(Path(__file__).with_name("make_mfcc_librosa.py")))


@pytest.mark.parametrize("name", MAKER["SETTINGS"])
def test_as_librosa(name):
    with np.load(MAKER["TARGET"], allow_pickle=False) as stored:
        x, expected = torch.from_numpy(stored["signal"]), torch.from_numpy(stored[name])
    mfcc = MFCC(**MAKER["SETTINGS"][name])
    assert torch.equal(x, torch.from_numpy(MAKER["signal"]()))
    torch.testing.assert_close(mfcc(x), expected, rtol=1e-4, atol=2e-3)
    torch.testing.assert_close(mfcc.double()(x.double()).float(), expected, rtol=1e-5, atol=1e-4)


def test_the_papers_shape():
    x = torch.randn(3, 2, 16000, generator=torch.Generator().manual_seed(0)) / 10
    mfcc = MFCC()
    found = mfcc(x)
    assert found.shape == (3, 2, 20, 161) and found.dtype == torch.float32
    torch.testing.assert_close(found[1, 0], mfcc(x[1, 0]), rtol=1e-4, atol=1e-4)
    assert mfcc(x[0, 0, :101]).shape == (20, 2)
    assert len(mfcc.state_dict()) == 0


def test_silence():
    found = MFCC()(torch.zeros(16000))
    expected = math.log(1e-6) * math.sqrt(64)  # a constant has the lowest coefficient alone
    torch.testing.assert_close(found[0], torch.full((161,), expected), rtol=1e-5, atol=0)
    torch.testing.assert_close(found[1:], torch.zeros(19, 161), rtol=0, atol=1e-4)
    x = torch.zeros(400, requires_grad=True)
    MFCC()(x).sum().backward()
    assert torch.equal(x.grad, torch.zeros(400))


@pytest.mark.parametrize("log", ["natural", "decibel"])
def test_gradients(log):
    mfcc = MFCC(n_mfcc=4, sample_rate=1000, n_fft=16, hop=6, n_mels=5, log=log).double()
    x = torch.randn(
        2, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True
    )
    assert torch.autograd.gradcheck(mfcc, x)


def test_decibels_go_down_to_80_below_the_loudest_of_a_signal():
    t = torch.arange(4000.0)
    loud, soft = (scale * torch.sin(0.3 * t) * (t < 2000) for scale in (1.0, 1e-2))
    mfcc = MFCC(n_mfcc=40, n_mels=40, n_fft=256, log="decibel")
    both = mfcc(torch.stack([loud, soft]))
    decibel = torch.linalg.solve(mfcc.cosine, both)
    for one in decibel:
        assert one.max() - one.min() == pytest.approx(80, abs=1e-2)
    torch.testing.assert_close(both[1], mfcc(soft))


def test_triangles_share_out_every_frequency():
    triangles = mel_triangles(20, 4001, 16000)
    assert triangles.shape == (20, 4001) and triangles.min() == 0 and triangles.max() <= 1
    centres = triangles.argmax(1)
    assert (centres.diff() > 0).all()
    between = triangles[:, centres[0] : centres[-1]].sum(0)
    torch.testing.assert_close(between, torch.ones_like(between), rtol=0, atol=1e-5)
    mel = 2595 * torch.log10(1 + centres * 2 / 700)
    torch.testing.assert_close(mel.diff(), torch.full((19,), 2840.0 / 21), rtol=0.02, atol=0)


def test_cosine_transform_is_scipys():
    expected = scipy.fft.dct(np.eye(12), axis=0, norm="ortho")
    torch.testing.assert_close(cosine_transform(12, 12), torch.from_numpy(expected).float())
    assert torch.equal(cosine_transform(5, 12), cosine_transform(12, 12)[:5])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_fft": 0}, "n_fft must be positive, got 0"),
        ({"hop": -1}, "hop must be positive, got -1"),
        ({"n_mfcc": 65}, "at most n_mels = 64 coefficients, got n_mfcc = 65"),
        ({"log": "log10"}, "natural or decibel, got 'log10'"),
    ],
)
def test_impossible_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        MFCC(**settings)


@pytest.mark.parametrize("shape", [(), (100,), (2, 0)])
def test_too_short_a_signal(shape):
    with pytest.raises(ValueError, match=r"T > 100, half a window, got \["):
        MFCC()(torch.zeros(shape))


def test_repr_names_the_settings():
    assert repr(MFCC()) == (
        "MFCC(n_mfcc=20, sample_rate=16000, n_fft=200, hop=100, n_mels=64, log='natural')"
    )
