"""Speech Commands' classes on real recordings: spoken digits in its layout."""

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.datasets.audio.speech_commands import SpeechCommandsHalf, SpeechCommandsMFCC, SpeechCommandsRaw
from tests.datasets.audio.words_on_disk import open_all

DIGITS = ["zero", "one", "two"]  # of ten, each with 300 recordings


@pytest.fixture(scope="module")
def digits(spoken_digits, tmp_path_factory):
    """The spoken digits in a root of their own."""
    root = tmp_path_factory.mktemp("digits")
    (root / "speech_commands").symlink_to(spoken_digits)
    return root


def test_recordings_of_three_digits(digits, shared):
    options = {"words": DIGITS, "clips": "pad", "splitting": "official", "download": False}
    with np.load(shared("fsdd.npz"), allow_pickle=False) as source:
        expected = {
            f"{DIGITS[label]}/{source['speaker_names'][speaker]}_nohash_{index}.wav": (test, length)
            for label, speaker, index, test, length in zip(
                *(source[k] for k in ("label", "speaker", "index", "is_test", "length")), strict=True
            )
            if label < len(DIGITS)
        }
    for cls in (SpeechCommandsRaw, SpeechCommandsHalf, SpeechCommandsMFCC):
        parts = open_all(digits, cls, **options)
        assert [len(part) for part in parts] == [720, 90, 90]
        for part in parts:
            assert part.y.bincount(minlength=3).min() >= 20
        total = torch.stack([torch.stack([x.mean(), x.square().mean()]) for x, _ in parts[0]]).mean(0)
        torch.testing.assert_close(total, torch.tensor([0.0, 1.0]), rtol=0, atol=2e-3)
    stored = np.load(open_all(digits, **options)[0].values.path.with_suffix(".npz"))
    assert len(stored["name"]) == len(expected) == 900
    for name, samples, official in zip(stored["name"], stored["samples"], stored["official"], strict=True):
        test, length = expected[str(name)]
        assert (official == 2) == test and samples == 2 * length


@pytest.mark.parametrize("cls", [SpeechCommandsRaw, SpeechCommandsHalf, SpeechCommandsMFCC])
def test_a_training_step_on_spoken_digits(digits, cls):
    data = cls(digits, words=DIGITS, clips="pad", splitting="official", download=False)
    x, y = next(iter(torch.utils.data.DataLoader(data, batch_size=2, shuffle=True)))
    model = CCNN.from_preset("ccnn_4_16", dim=1, in_channels=data.in_channels, out_channels=data.num_classes)
    loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    assert loss.isfinite() and all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
