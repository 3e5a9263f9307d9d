"""Speech Commands on a few words of noise in the official layout."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from scipy.signal import resample_poly

from ccnn_geo.datasets.audio import speech_commands
from ccnn_geo.datasets.audio.speech_commands import (
    WORDS,
    SpeechCommandsHalf,
    SpeechCommandsMFCC,
    SpeechCommandsRaw,
)
from ccnn_geo.transforms.mfcc import MFCC
from tests.datasets.audio.words_on_disk import TOY, open_all, rows, write_words


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A root with three words, which are prepared once."""
    root = tmp_path_factory.mktemp("speech")
    write_words(root / "speech_commands" / "speech_commands_v0.02")
    return root


def test_splits_share_out_every_word(toy):
    train, validation, test = open_all(toy)
    assert [len(d) for d in (train, validation, test)] == [42, 9, 9]  # the two of other lengths are dropped
    for data, each in ((train, 14), (validation, 3), (test, 3)):
        assert data.y.bincount().tolist() == [each] * 3
        assert data.classes == list(TOY) and data.grid_shape == (1, 16000)
    assert len({*rows(train), *rows(validation), *rows(test)}) == 60
    again = open_all(toy)
    assert [rows(d) for d in again] == [rows(d) for d in (train, validation, test)]


def test_a_sample_is_its_file(toy):
    train, validation, _ = open_all(toy, normalize=False)
    signal, label = train[3]
    names = np.load(train.values.path.with_suffix(".npz"))["name"]
    name = str(names[rows(train)[3]])
    assert name.split("/")[0] == TOY[label]
    wave = wavfile.read(toy / "speech_commands" / "speech_commands_v0.02" / name)[1]
    np.testing.assert_array_equal(signal.numpy() * 2**15, wave[None])
    assert signal.dtype == torch.float32 and len(validation) == 9


@pytest.mark.parametrize("cls", [SpeechCommandsRaw, SpeechCommandsMFCC])
def test_normalised_by_the_training_part(toy, cls):
    train, validation, _ = open_all(toy, cls)
    raw_train, raw_validation, _ = open_all(toy, cls, normalize=False)
    x = torch.stack([signal for signal, _ in train]).transpose(0, 1).flatten(1)
    assert x.mean(1).abs().max() < 1e-4
    torch.testing.assert_close(x.std(1), torch.ones(len(x)), rtol=0, atol=2e-3)
    before = torch.stack([signal for signal, _ in raw_train]).transpose(0, 1).flatten(1)
    mean, std = before.mean(1, keepdim=True), before.std(1, keepdim=True)
    torch.testing.assert_close(
        validation[0][0], (raw_validation[0][0] - mean) / (std + 1e-5), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("cls", [SpeechCommandsRaw, SpeechCommandsMFCC])
def test_normalised_by_each_recording(toy, cls):
    for found, raw in zip(
        open_all(toy, cls, normalize="clip"), open_all(toy, cls, normalize=False), strict=True
    ):
        for (x, label), (before, same_label) in zip(found, raw, strict=True):
            mean, std = before.mean(1, keepdim=True), before.std(1, keepdim=True, correction=0)
            torch.testing.assert_close(x, (before - mean) / (std + 1e-5), rtol=1e-4, atol=1e-4)
            assert label == same_label
    whole, half = (open_all(toy, c, normalize="clip")[2] for c in (SpeechCommandsRaw, SpeechCommandsHalf))
    assert torch.equal(half[0][0], whole[0][0][:, ::2])  # by the figures of the whole recording


def test_half_the_rate_is_every_second_sample(toy):
    whole, half = open_all(toy)[2], open_all(toy, SpeechCommandsHalf)[2]
    quarter = open_all(toy, rate=4000)[2]
    assert half.grid_shape == (1, 8000) and half.info.size == (8000,)
    for i in range(len(whole)):
        assert torch.equal(half[i][0], whole[i][0][:, ::2]) and half[i][1] == whole[i][1]
        assert torch.equal(quarter[i][0], whole[i][0][:, ::4])


def test_coefficients_are_those_of_the_waveform(toy):
    waves, found = (open_all(toy, c, normalize=False)[1] for c in (SpeechCommandsRaw, SpeechCommandsMFCC))
    assert found.grid_shape == (20, 161) == (found.info.in_channels, *found.info.size)
    for i in (0, 8):
        torch.testing.assert_close(found[i][0], MFCC()(waves[i][0]).squeeze(0), rtol=1e-4, atol=1e-3)


def test_published_lists(toy):
    train, validation, test = open_all(toy, splitting="official")
    assert [len(d) for d in (train, validation, test)] == [36, 12, 12]
    names = np.load(train.values.path.with_suffix(".npz"))["name"]
    listed = (toy / "speech_commands" / "speech_commands_v0.02" / "testing_list.txt").read_text().split()
    assert {str(names[i]) for i in rows(test)} <= set(listed)
    speakers = [{str(names[i]).split("/")[1][:8] for i in rows(d)} for d in (train, validation, test)]
    assert not speakers[0] & (speakers[1] | speakers[2])


def test_other_lengths_can_be_made_to_fit(toy):
    data = open_all(toy, clips="pad", normalize=False)
    assert sum(map(len, data)) == 66
    samples = np.load(data[0].values.path.with_suffix(".npz"))["samples"]
    short, long = ([i for i in range(66) if samples[i] == n] for n in (12000, 20000))
    for part in data:
        for i, row in enumerate(rows(part)):
            silent = (part[i][0] == 0).squeeze(0)
            if row in short:
                assert silent[:2000].all() and silent[-2000:].all() and silent.sum() < 4100
            else:
                assert silent.sum() < 100
    assert len(short) == len(long) == 3


def test_transforms_are_of_samples(toy):
    data = SpeechCommandsRaw(toy, words=TOY, transform=torch.zeros_like)
    assert not data[0][0].any() and data.grid_shape == (1, 16000)


def test_what_a_loader_process_gets_is_small(toy):
    data = SpeechCommandsMFCC(toy, words=TOY)
    sent = pickle.dumps(data)
    assert len(sent) < 10_000
    assert torch.equal(pickle.loads(sent)[5][0], data[5][0])


def test_a_second_open_reads_no_recording(toy, monkeypatch):
    open_all(toy, SpeechCommandsMFCC)

    def fail(*_):
        raise AssertionError("read again")

    monkeypatch.setattr("ccnn_geo.datasets.audio.clips.read_recording", fail)
    monkeypatch.setattr(MFCC, "forward", fail)
    assert len(open_all(toy, SpeechCommandsMFCC)[0]) == 42


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "dev"}, "split must be train or validation or test, got 'dev'"),
        ({"clips": "keep"}, "clips must be drop or pad, got 'keep'"),
        ({"splitting": "random"}, "splitting must be paper or official, got 'random'"),
        ({"normalize": "loud"}, "normalize must be True or False or clip, got 'loud'"),
        ({"rate": 11025}, "rate must divide 16000, got 11025"),
        ({"rate": 0}, "rate must divide 16000, got 0"),
        ({"words": ["yes"]}, r"two or more names of folders, all different, got \['yes'\]"),
        ({"words": ["yes", "no", "yes"]}, "all different"),
        ({"words": ["yes", "../up"]}, "names of folders"),
        ({"words": "yes"}, "names of folders"),
        ({"words": ["yes", "no", "cat"]}, "no folders of the words cat"),
        ({"words": ["yes", "_background_noise_"]}, r"no recordings, expected .wav .* got no other files"),
    ],
)
def test_options_that_cannot_be(toy, options, message):
    with pytest.raises(ValueError, match=message):
        SpeechCommandsRaw(toy, **{"words": TOY, **options})


def test_the_papers_words_must_be_complete(tmp_path):
    write_words(tmp_path, [16000, 8000], WORDS)  # in the root itself
    with pytest.raises(
        ValueError, match=r"20 of 20 recordings .* 16000 samples, expected 34975; check_counts=False"
    ):
        SpeechCommandsRaw(tmp_path)
    assert not list(tmp_path.rglob("*.np*"))
    assert len(SpeechCommandsRaw(tmp_path, check_counts=False)) == 7


def test_complete_files_are_needed_only_once(tmp_path, monkeypatch):
    monkeypatch.setattr(
        speech_commands,
        "_INFO",
        replace(speech_commands._INFO, counts={"train": 21, "validation": 4, "test": 5}),
    )
    folder = write_words(tmp_path / "speech_commands", [16000, 16000, 8000, 16000], WORDS)
    (folder / "go" / "00000003_nohash_0.wav").rename(folder / "go.wav")
    with pytest.raises(ValueError, match=r"29 of 39 recordings .* expected 30"):
        SpeechCommandsRaw(tmp_path)
    assert not list(tmp_path.rglob("*.np*"))
    (folder / "go.wav").rename(folder / "go" / "00000003_nohash_0.wav")
    assert [len(d) for d in open_all(tmp_path, words=WORDS)] == [21, 4, 5]
    folder.rename(tmp_path / "elsewhere")
    assert [len(d) for d in open_all(tmp_path, SpeechCommandsMFCC, words=WORDS)] == [21, 4, 5]


def test_files_that_change_are_read_again(tmp_path):
    write_words(tmp_path, [16000] * 4)
    assert sum(map(len, open_all(tmp_path))) == 12
    (tmp_path / "no" / "00000003_nohash_0.wav").unlink()
    assert sum(map(len, open_all(tmp_path))) == 11


def test_nothing_of_one_second(tmp_path):
    write_words(tmp_path, [8000] * 5)
    with pytest.raises(ValueError, match="none of 15 recordings has 16000 samples; clips='pad'"):
        open_all(tmp_path)


def test_another_rate_is_resampled(tmp_path):
    write_words(tmp_path, [8000] * 5, rate=8000)
    data = open_all(tmp_path, normalize=False)[0]
    names = np.load(data.values.path.with_suffix(".npz"))["name"]
    wave = wavfile.read(tmp_path / str(names[rows(data)[0]]))[1]
    expected = resample_poly(wave / 2**15, 2, 1)
    np.testing.assert_allclose(data[0][0][0].numpy(), expected, rtol=0, atol=1e-4)
