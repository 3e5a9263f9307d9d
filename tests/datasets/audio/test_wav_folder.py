"""A user's own recordings."""

import os

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from ccnn_geo import CCNN
from ccnn_geo.datasets.audio.wav_folder import WavFolder
from ccnn_geo.transforms.mfcc import MFCC


def write(
    root, splits=("train", "validation"), classes=("cat", "dog"), length=300, rate=8000, channels=1, num=4
):
    rng = np.random.default_rng(0)
    for split in splits:
        for loudness, name in enumerate(classes, 1):
            (root / split / name).mkdir(parents=True, exist_ok=True)
            for i in range(num):
                data = rng.integers(-3000 * loudness, 3000 * loudness, (length, channels), dtype=np.int16)
                wavfile.write(root / split / name / f"{i}.WAV", rate, data)
    return root


def test_folders_are_classes(tmp_path):
    write(tmp_path)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("not sound")
    (tmp_path / "train" / "cat" / "._0.wav").write_bytes(b"of another system")
    train, validation = WavFolder(tmp_path), WavFolder(tmp_path, "validation")
    assert len(train) == len(validation) == 8 and train.classes == ["cat", "dog"] and train.rate == 8000
    assert train.grid_shape == (1, 300) and train.y.tolist() == [0] * 4 + [1] * 4
    assert train.names[:2] == ["train/cat/0.WAV", "train/cat/1.WAV"]
    assert train[5:7].names == ["train/dog/1.WAV", "train/dog/2.WAV"]
    plain = WavFolder(tmp_path, "validation", normalize=False)
    wave = wavfile.read(tmp_path / plain.names[6])[1]
    np.testing.assert_array_equal(plain[6][0].numpy() * 2**15, wave[None])


def test_normalised_by_the_training_part(tmp_path):
    write(tmp_path, ["train"], channels=2)
    write(tmp_path, ["test"], channels=2, num=1)
    for mfcc in (False, {"n_mfcc": 5, "n_fft": 64, "n_mels": 10}):
        options = {"mono": False, "mfcc": mfcc}
        train, test = WavFolder(tmp_path, **options), WavFolder(tmp_path, "test", **options)
        raw_train, raw_test = (WavFolder(tmp_path, s, normalize=False, **options) for s in ("train", "test"))
        x, before = (torch.stack([x for x, _ in d]).transpose(0, 1).flatten(1) for d in (train, raw_train))
        torch.testing.assert_close(x.mean(1), torch.zeros(len(x)), rtol=0, atol=1e-4)
        torch.testing.assert_close(x.std(1, correction=0), torch.ones(len(x)), rtol=0, atol=2e-3)
        expected = (raw_test[0][0] - before.mean(1, keepdim=True)) / before.std(1, correction=0, keepdim=True)
        torch.testing.assert_close(test[0][0], expected, rtol=1e-3, atol=1e-3)


def test_lengths_and_rates_are_made_alike(tmp_path):
    write(tmp_path, classes=["a"], rate=8000)
    write(tmp_path, classes=["b"], rate=16000, length=500)
    with pytest.raises(
        ValueError, match=r"(?s)4 of 8 recordings .*16000 samples per second, .* has 8000; give a rate"
    ):
        WavFolder(tmp_path)
    with pytest.raises(ValueError, match=r"250 samples, .* has 300; give a length for all"):
        WavFolder(tmp_path, rate=8000)
    data = WavFolder(tmp_path, rate=8000, length=280, normalize=False)
    assert data.grid_shape == (1, 280) and data.rate == 8000
    assert data[0][0].ne(0).sum() > 270 and not data[4][0][:, :14].any()  # one is cut, one filled


def test_coefficients(tmp_path):
    write(tmp_path, rate=11025)
    waves = WavFolder(tmp_path, normalize=False)
    found = WavFolder(tmp_path, normalize=False, mfcc=True)
    assert found.grid_shape == (20, 4)
    torch.testing.assert_close(found[3][0], MFCC(sample_rate=11025)(waves[3][0])[0], rtol=1e-4, atol=1e-3)
    other = WavFolder(tmp_path, mfcc={"n_mfcc": 7, "hop": 50})
    assert other.grid_shape == (7, 7)
    with pytest.raises(ValueError, match=r"mfcc: expected some of hop, .*, got n_cepstra"):
        WavFolder(tmp_path, mfcc={"n_cepstra": 7})


def test_stored_until_files_change(tmp_path, monkeypatch):
    write(tmp_path)
    first = WavFolder(tmp_path, cache=tmp_path / "cache")[0][0]
    assert not (tmp_path / "processed").exists()

    def fail(path):
        raise ValueError(f"{path}: read again")

    with monkeypatch.context() as patch:
        patch.setattr("ccnn_geo.datasets.audio.clips.read_recording", fail)
        assert torch.equal(WavFolder(tmp_path, cache=tmp_path / "cache")[0][0], first)
        os.utime(tmp_path / "train" / "dog" / "2.WAV", (0, 0))
        with pytest.raises(ValueError, match="read again"):
            WavFolder(tmp_path, cache=tmp_path / "cache")


def test_transforms_are_of_samples(tmp_path):
    data = WavFolder(write(tmp_path), transform=torch.zeros_like)
    assert not data[0][0].any()


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        WavFolder(tmp_path / "nowhere")
    write(tmp_path, ["test"])
    with pytest.raises(FileNotFoundError, match="no split 'train', found test"):
        WavFolder(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder 'train' to normalise by; normalize=False"):
        WavFolder(tmp_path, "test")
    assert len(WavFolder(tmp_path, "test", normalize=False)) == 8
    write(tmp_path, ["train"], length=200)
    with pytest.raises(ValueError, match=r"of train are \[1, 200\] at 8000 per second, of test \[1, 300\]"):
        WavFolder(tmp_path, "test")
    for file in (tmp_path / "train" / "cat").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"cat: no recordings, expected \.wav .*got no other files"):
        WavFolder(tmp_path)


def test_broken_files_are_named(tmp_path):
    write(tmp_path)
    for i in (1, 3):
        path = tmp_path / "train" / "dog" / f"{i}.WAV"
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"2 of 8 recordings cannot be used:\n.*dog/1\.WAV.*\n.*dog/3\.WAV"):
        WavFolder(tmp_path)
    assert not list(tmp_path.rglob("*.np*"))


def test_floating_point_of_another_scale_is_refused(tmp_path):
    """scipy writes an array of floats as it is: cut at 1, int16 would become a square wave."""
    wave = np.sin(np.arange(800) / 9)
    for name, samples in (("soft", 0.5 * wave), ("loud", 1.05 * wave), ("int16", 20000 * wave)):
        (tmp_path / name / "train" / "a").mkdir(parents=True)
        wavfile.write(tmp_path / name / "train" / "a" / "0.wav", 8000, samples.astype(np.float32))
    one = WavFolder(tmp_path / "soft", normalize=False)[0][0]
    np.testing.assert_allclose(one[0], 0.5 * wave, rtol=0, atol=2**-15)
    spoilt = np.concatenate([0.9 * wave, [3.0, -1.2]])  # a few peaks are cut, as ever
    wavfile.write(tmp_path / "soft/train/a/0.wav", 8000, spoilt.astype(np.float32))
    expected = spoilt.clip(-1, 1 - 2**-15)
    np.testing.assert_allclose(
        WavFolder(tmp_path / "soft", normalize=False)[0][0][0], expected, rtol=0, atol=2**-15
    )
    with pytest.raises(
        ValueError, match=r"a/0\.wav: samples up to 20000, \d+% .* expected floating point in this range"
    ):
        WavFolder(tmp_path / "int16")


def test_two_spoken_digits_by_speaker(tmp_path, spoken_digits):
    """Who speaks, not what: the folders of a user's own task."""
    held_out = set((spoken_digits / "testing_list.txt").read_text().split())
    for path in (p for word in ("two", "six") for p in spoken_digits.glob(f"{word}/*.wav")):
        name = f"{path.parent.name}/{path.name}"
        folder = tmp_path / "root" / ("test" if name in held_out else "train") / path.name.split("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name.replace("/", "_")).symlink_to(path)
    options = {"length": 8000, "rate": 8000, "mfcc": {"n_mfcc": 12, "n_mels": 32}}
    train, test = (WavFolder(tmp_path / "root", split, **options) for split in ("train", "test"))
    assert len(train) == 540 and len(test) == 60 and train.num_classes == 6
    assert test.y.bincount().tolist() == [10] * 6
    x, y = next(iter(torch.utils.data.DataLoader(train, batch_size=8, shuffle=True)))
    assert x.shape == (8, 12, 81)
    model = CCNN.from_preset("ccnn_4_16", dim=1, in_channels=12, out_channels=6)
    loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    assert loss.isfinite() and all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
