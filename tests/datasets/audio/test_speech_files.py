"""The files of Speech Commands: the archive, where it comes from, the lists, and who is in which split."""

import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from ccnn_geo.datasets.audio import speech_commands
from ccnn_geo.datasets.audio.speech_commands import WORDS, SpeechCommandsRaw
from ccnn_geo.datasets.audio.speech_files import split_of
from tests.datasets.audio.words_on_disk import TOY, open_all, rows, write_words


def test_lists_are_needed_for_their_split(tmp_path):
    write_words(tmp_path, [16000] * 5)
    (tmp_path / "testing_list.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"testing_list\.txt: expected text, a name on each line"):
        open_all(tmp_path)
    (tmp_path / "testing_list.txt").unlink()
    with pytest.raises(ValueError, match=r"needs validation_list\.txt and testing_list\.txt beside"):
        open_all(tmp_path, splitting="official")
    assert [len(d) for d in open_all(tmp_path)] == [10, 2, 3]
    (tmp_path / "testing_list.txt").write_text("")
    with pytest.raises(ValueError, match="no recordings for test among 15"):
        open_all(tmp_path, splitting="official")


def test_offline_says_what_to_place_where(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match=r"speech_commands_v0\.02\.tar\.gz; place the published archive there .*http://download",
    ):
        SpeechCommandsRaw(tmp_path, download=False)
    assert not list(tmp_path.iterdir())


def pack(tmp_path, folder):
    """The archive as it is published: its members begin with ``./``, the first is the folder itself."""
    path = tmp_path / "speech_commands" / "speech_commands_v0.02.tar.gz"
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "./")
    return path


def test_the_archive_is_unpacked_once(tmp_path):
    pack(tmp_path, write_words(tmp_path / "original", [16000] * 5))
    with pytest.raises(ValueError, match=r"sha256 is .*, expected af14739ee7dc"):
        open_all(tmp_path)
    first = open_all(tmp_path, checksum=None)
    (tmp_path / "speech_commands" / "speech_commands_v0.02.tar.gz").unlink()
    assert rows(open_all(tmp_path)[0]) == rows(first[0])
    assert (tmp_path / "speech_commands" / "speech_commands_v0.02" / "testing_list.txt").is_file()


def test_it_is_fetched(tmp_path, serve, monkeypatch):
    path = pack(tmp_path, write_words(tmp_path / "original", [16000] * 5))
    server = serve(path.read_bytes())
    file = replace(speech_commands._INFO.files[0], url=server.url)
    monkeypatch.setattr(SpeechCommandsRaw, "info", replace(speech_commands._INFO, files=(file,)))
    data = SpeechCommandsRaw(tmp_path / "root", words=TOY, checksum=None)
    assert len(data) == 10 and server.ranges == [None]


def test_a_damaged_archive(tmp_path):
    path = pack(tmp_path, write_words(tmp_path / "original", [16000] * 5))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"tar\.gz: "):
        open_all(tmp_path, checksum=None)
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("./../evil"), io.BytesIO())
    with pytest.raises(ValueError, match="outside of the target folder"):
        open_all(tmp_path, checksum=None)
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("./LICENSE"), io.BytesIO())
    with pytest.raises(ValueError, match="no folders of no, yes, up"):
        open_all(tmp_path, checksum=None)
    assert not (tmp_path / "evil").exists()


def test_the_papers_counts():
    """As many as sklearn's ``train_test_split(train_size=0.7)`` and ``(0.5)`` give of 34,975."""
    labels = np.repeat(np.arange(10), [3500] * 9 + [3475])
    names = [f"{WORDS[label]}/{i}.wav" for i, label in enumerate(labels)]
    parts = split_of(names, labels, None)
    counts = speech_commands._INFO.counts
    assert np.bincount(parts).tolist() == list(counts.values()) and sum(counts.values()) == 34975
    for label, number in enumerate(np.bincount(labels)):
        shares = np.bincount(parts[labels == label]) / number
        np.testing.assert_allclose(shares, [0.7, 0.15, 0.15], atol=1.5 / number)


def test_the_draw_knows_names_alone():
    labels = np.repeat([0, 1], 50)
    names = [f"{'ab'[label]}/{i}.wav" for i, label in enumerate(labels)]
    parts = dict(zip(names, split_of(names, labels, None), strict=True))
    order = np.random.default_rng(0).permutation(100)
    shuffled = split_of([names[i] for i in order], labels[order], None)
    assert [parts[names[i]] for i in order] == shuffled.tolist()
    # on every machine and in every version: results are of the same recordings
    assert [names.index(n) for n in names if parts[n] == 1][:4] == [0, 1, 5, 25]
