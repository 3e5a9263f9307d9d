import io
import tarfile

import numpy as np
import pytest
import torch

from ccnn_geo.datasets.text import imdb
from ccnn_geo.datasets.text.imdb import IMDBText

TEXTS = {  # z occurs in the test half alone, é twice in train
    "train": {"neg": ["bad bad film", "bé, bé"], "pos": ["a good film"] * 2},
    "test": {"neg": ["zzz bad", "bad"], "pos": ["good", "good zzz"]},
}
RATING = {"neg": 2, "pos": 9}


def write(root, texts=TEXTS, per_class=2):
    for half, classes in texts.items():
        for name, reviews in classes.items():
            folder = root / "imdb/aclImdb" / half / name
            folder.mkdir(parents=True)
            for i in range(per_class):
                text = reviews[i % len(reviews)]
                (folder / f"{i}_{RATING[name]}.txt").write_bytes(text.encode())
    return root / "imdb/aclImdb"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(imdb, "PER_CLASS", 2)
    return write(tmp_path)


def text(data, i):
    return "".join(data.vocabulary.decode(data.values[int(data._index[i])]))


def open_text(root, split="train", **kwargs):
    kwargs = {"download": False, "min_freq": 2, "max_length": 16, "validation_fraction": 0.5, **kwargs}
    return IMDBText(root, split, **kwargs)


def test_official_files(tmp_path, folder):
    train, validation, test = (open_text(tmp_path, split) for split in ("train", "validation", "test"))
    assert len(train) == len(validation) == 2 and len(test) == 4
    assert sorted(train.y.tolist()) == sorted(validation.y.tolist()) == [0, 1]
    assert not set(train._index.tolist()) & set(validation._index.tolist())
    whole = open_text(tmp_path, validation_fraction=0)
    assert [text(whole, i) for i in range(4)] == ["bad bad film", "bé<unk> bé", *["a good film"] * 2]
    assert [text(test, i) for i in range(2)] == ["<unk><unk><unk> bad", "bad"]  # only train has a say
    assert test.vocabulary == train.vocabulary and "z" not in train.vocabulary.symbols
    assert test.y.tolist() == [0, 0, 1, 1] and test.classes == ["neg", "pos"]
    grid, label = test[1]
    assert grid.shape == (len(train.vocabulary), 16) and label == 0
    assert grid.sum(0).tolist() == [0] * 12 + [1] * 4


def test_vocabulary_is_by_frequency(tmp_path, folder):
    letters = "".join(t for reviews in TEXTS["train"].values() for t in reviews)
    expected = sorted({c for c in letters if letters.count(c) > 1}, key=lambda c: (-letters.count(c), c))
    assert list(open_text(tmp_path).vocabulary.symbols) == expected
    assert len(open_text(tmp_path, min_freq=100).vocabulary) == 3
    assert open_text(tmp_path, level="byte").vocabulary.symbols != tuple(expected)
    assert {"Ã", "©"} <= set(open_text(tmp_path, level="byte").vocabulary.symbols)  # é in UTF-8


def test_reviews_are_cut(tmp_path, folder):
    data = open_text(tmp_path, validation_fraction=0, max_length=6, min_freq=1)
    assert text(data, 0) == "bad b" and data[0][0].shape[1] == 6
    assert "m" not in data.vocabulary.symbols  # nothing beyond the cut is counted


def test_nothing_is_done_twice(tmp_path, folder, monkeypatch):
    before = open_text(tmp_path, "test")
    (tmp_path / "imdb").rename(tmp_path / "gone")
    monkeypatch.setattr(imdb, "_prepare", None)
    after = open_text(tmp_path, "test")
    assert all(torch.equal(before[i][0], after[i][0]) for i in range(4))


def test_parts_are_looked_at_every_time(tmp_path, folder):
    (folder / "train/pos/7_10.txt").write_text("new")
    with pytest.raises(ValueError, match="3 reviews, expected 2"):
        open_text(tmp_path)
    assert len(open_text(tmp_path, check_counts=False, validation_fraction=0)) == 5
    assert text(open_text(tmp_path, "test", check_counts=False), 0) == "<unk><unk><unk> bad"
    (folder / "train/pos/8_10.txt").write_text("zz")
    assert len(open_text(tmp_path, check_counts=False, validation_fraction=0)) == 6
    assert text(open_text(tmp_path, "test", check_counts=False), 0) == "zzz bad"  # by the vocabulary of now


def test_splits_do_not_depend_on_the_global_seed(tmp_path, folder):
    first = open_text(tmp_path)._index.tolist()
    torch.manual_seed(11)
    assert open_text(tmp_path)._index.tolist() == first


@pytest.mark.parametrize("name", ["review.txt", "1_7.txt", "1_2_3.txt"])
def test_files_that_are_no_reviews(tmp_path, folder, name):
    (folder / "train/neg" / name).write_text("what")
    with pytest.raises(ValueError, match=rf"neg/{name}: expected <id>_<rating>\.txt with a rating up to 5"):
        open_text(tmp_path)


def test_other_bytes(tmp_path, folder):
    (folder / "train/neg/0_2.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match=r"0_2\.txt: expected UTF-8, .* level='byte'"):
        open_text(tmp_path)
    assert not list((tmp_path / "processed").rglob("*.npz"))
    data = open_text(tmp_path, level="byte", min_freq=1, validation_fraction=0)
    assert text(data, 0) == "caf\xe9"


def test_refusals(tmp_path, folder):
    with pytest.raises(ValueError, match="splits train, validation, test, got 'val'"):
        open_text(tmp_path, "val")
    with pytest.raises(ValueError, match="splits train, test, got 'validation'"):
        open_text(tmp_path, "validation", validation_fraction=0)
    with pytest.raises(ValueError, match="one of character, byte, got 'word'"):
        open_text(tmp_path, level="word")
    with pytest.raises(FileNotFoundError, match=r"aclImdb_v1\.tar\.gz exists; place https"):
        open_text(tmp_path / "empty")
    (folder / "test/pos").rename(folder / "pos")
    with pytest.raises(FileNotFoundError, match=r"no .*test/pos; place it there"):
        open_text(tmp_path, "test")


def test_archive(tmp_path, folder):
    home = tmp_path / "root/imdb"
    home.mkdir(parents=True)
    with tarfile.open(home / "aclImdb_v1.tar.gz", "w:gz") as archive:
        archive.add(folder, "aclImdb")
    with pytest.raises(ValueError, match=r"md5 is .*, expected 7c2ac02c03563afcf9b574c7e56c153a"):
        open_text(tmp_path / "root")
    assert len(open_text(tmp_path / "root", "test", checksum=None)) == 4
    with tarfile.open(tmp_path / "root/imdb/aclImdb_v1.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("aclImdb/../../evil")
        archive.addfile(info, io.BytesIO())
    (home / "aclImdb").rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="points outside"):
        open_text(tmp_path / "root", max_length=8, checksum=None)


def test_info():
    info = IMDBText.info
    assert info.counts == {"train": 22500, "validation": 2500, "test": 25000} and info.classes == 2
    assert info.files[0].checksum.startswith("md5:") and info.dim == 1


def test_real_reviews(tmp_path, shared):
    """Five hundred of them, as files."""
    with np.load(shared("imdb_train.npz")) as given:
        y, offset, content = given["label"], given["offset"], given["text"].tobytes()
        rating = given["rating"]
    chosen = [int(i) for label in (0, 1) for i in np.flatnonzero(y == label)[:250]]
    texts = [content[offset[i] : offset[i + 1]] for i in chosen]
    for i, body in zip(chosen, texts, strict=True):
        path = tmp_path / "imdb/aclImdb/train" / ("pos" if y[i] else "neg") / f"{i}_{rating[i]}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    data = IMDBText(tmp_path, check_counts=False, min_freq=1, validation_fraction=0, download=False)
    assert data.y.tolist() == y[chosen].tolist()
    assert [text(data, i) for i in range(500)] == [body.decode()[:4095] for body in texts]
    assert data[0][0].shape[1] == 4096 == data.info.size[0]
