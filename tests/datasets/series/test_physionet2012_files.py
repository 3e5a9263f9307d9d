"""The files of PhysioNet 2012: archives, downloads that break, and lines that are not understood."""

import shutil
import tarfile

import numpy as np
import pytest

from ccnn_geo.datasets.series import physionet2012
from ccnn_geo.datasets.series.physionet2012 import PhysioNet2012
from ccnn_geo.datasets.series.physionet_records import STATIC, read_record
from ccnn_geo.io.files.archive import UnsafeArchiveError
from tests.datasets.series.stays_on_disk import opened, write_set


@pytest.fixture
def root(tmp_path):
    write_set(tmp_path / "physionet2012", "c", 40, 900)
    return tmp_path


def test_archives_placed_by_hand(root):
    home = root / "physionet2012"
    with tarfile.open(home / "set-c.tar.gz", "w:gz") as archive:
        archive.add(home / "set-c", "set-c")
    names = opened(root, sets="c").names
    for path in (home / "set-c").iterdir():
        path.unlink()
    (home / "set-c").rmdir()
    assert opened(root, sets="c").names == names
    (home / "set-c").rename(home / "old")
    whole = (home / "set-c.tar.gz").read_bytes()
    (home / "set-c.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"set-c\.tar\.gz"):
        opened(root, sets="c")
    assert not (home / "set-c").exists()
    with pytest.raises(FileNotFoundError, match=r"no set-a, set-b, .*Outcomes-a\.txt"):
        opened(root)  # an archive tells of a download, which is of all


@pytest.fixture
def publisher(tmp_path, monkeypatch):
    """Archives and outcomes of three small sets, fetched from a folder; ``broken`` names what cannot be had."""
    source, broken, fetched = tmp_path / "source", set(), []
    for i, letter in enumerate("abc"):
        write_set(source, letter, 6, 100 * i)
        with tarfile.open(source / f"set-{letter}.tar.gz", "w:gz") as archive:
            archive.add(source / f"set-{letter}", f"set-{letter}")

    def fetch(url, path, checksum=None):
        assert url.startswith("https://physionet.org/files/challenge-2012/1.0.0/")
        if path.name in broken:
            raise ConnectionError(path.name)
        if not path.exists():
            fetched.append(path.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / path.name, path)
        return path

    monkeypatch.setattr(physionet2012, "fetch", fetch)
    return source, broken, fetched


def test_a_broken_download_is_of_all_sets_again(tmp_path, publisher):
    _, broken, fetched = publisher
    for name in ("set-b.tar.gz", "Outcomes-c.txt"):
        broken.add(name)
        with pytest.raises(ConnectionError):
            PhysioNet2012(tmp_path / "data", check_counts=False)
        broken.clear()
        assert not list((tmp_path / "data").rglob("*.npz"))
    data = PhysioNet2012(tmp_path / "data", "test", check_counts=False)
    assert len(data) == 6 and data.names[0] == "200" and len(fetched) == len(set(fetched)) == 6


def test_hostile_archives_are_refused(tmp_path, publisher):
    source, _, _ = publisher
    with tarfile.open(source / "set-b.tar.gz", "w:gz") as archive:
        archive.add(source / "set-b", "set-b")
        archive.add(source / "Outcomes-b.txt", "../escaped.txt")
    with pytest.raises(UnsafeArchiveError, match="escaped"):
        PhysioNet2012(tmp_path / "data", check_counts=False)
    assert not (tmp_path / "data/physionet2012/set-b").exists() and not list(tmp_path.rglob("escaped.txt"))


def test_unpacked_into_the_root_itself(tmp_path):
    write_set(tmp_path, "c", 12, 0)
    assert len(opened(tmp_path)) == 8


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("00:07,HR", "line 3: '00:07,HR', expected hh:mm,parameter,number"),
        ("7,HR,60", "expected hh:mm"),
        ("00:07,HR,fast", "expected hh:mm"),
        ("00:07,HR,nan", "expected hh:mm"),
        ("00:07,HR,inf", "expected hh:mm"),
        ("-1:07,HR,60", "expected hh:mm"),
        ("00:07,HeartRate,60", "unknown parameter 'HeartRate'"),
    ],
)
def test_lines_that_are_not_understood(tmp_path, line, words):
    path = tmp_path / "1.txt"
    path.write_text(f"Time,Parameter,Value\n00:00,Age,50\n{line}\n")
    with pytest.raises(ValueError, match=words):
        read_record(path, 0)


def test_files_that_are_not_understood(root):
    home = root / "physionet2012"
    path, outcomes = home / "set-c/905.txt", home / "Outcomes-c.txt"
    good, table = path.read_bytes(), outcomes.read_text()
    for content, words in ((b"", "is empty"), (b"\xff\xfe\x00bin", "expected Time,Parameter,Value")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=words):
            opened(root)
    path.write_bytes(good)
    for content, words in (
        (table.replace("In-hospital_death", "Death"), "expected RecordID and In-hospital_death"),
        (table.replace("905,1", "905,2"), "line 7: '905,2', expected 2 columns, death 0 or 1"),
        (table.replace("905,1\n", ""), "no record 905"),
    ):
        outcomes.write_text(content)
        with pytest.raises(ValueError, match=words):
            opened(root)
    assert not list((root / "processed/physionet2012").glob("*.npz"))


def test_a_stay_without_measurements_is_its_admission(tmp_path):
    path = tmp_path / "7.txt"
    path.write_text("Time,Parameter,Value\n00:00,RecordID,7\n00:00,Age,81\n00:00,ICUType,3\n")
    stay = read_record(path, 1)
    assert stay.time.tolist() == [0] and np.isnan(stay.values).all()
    assert (
        stay.static[0] == 81 and np.isnan(stay.static[1:3]).all() and stay.static[3:].tolist() == [0, 0, 1, 0]
    )
    assert len(STATIC) == 7
