"""Files that are converted once: what processes leave to each other, and what is wrong with files."""

import shutil
import threading
from functools import partial

import numpy as np
import pytest

from ccnn_geo.datasets.base import conversion, workers
from ccnn_geo.datasets.base.conversion import convert, packed, unpacked
from ccnn_geo.io.files.storage import exclusive_if_free, write_atomic

NUMBERS = [0, 2, 4, 6, 8, 10, 12]


class Files:
    """Seven files of a number each, which are doubled; at one of them the process may be interrupted."""

    def __init__(self, folder):
        self.paths, self.target = [folder / f"{i}.txt" for i in range(7)], folder / "out.npy"
        for i, path in enumerate(self.paths):
            path.write_text(str(i))
        self.seen, self.stop_at, self.merges = [], None, 0

    def double(self, path, factor):
        if path.name == self.stop_at:
            raise KeyboardInterrupt
        self.seen.append(path.name)
        return {"n": np.array(factor * int(path.read_text())), "none": np.zeros((0, 3), np.float32)}

    def merge(self, found):
        self.merges += 1
        rows = [int(one["n"]) for one in found.arrays("numbers")]
        write_atomic(self.target, partial(np.save, arr=np.array(rows)))

    def run(self):
        convert(self.double, (self.paths, [2] * 7), self.target, self.merge, title="numbers")
        return np.load(self.target).tolist()

    @property
    def parts(self):
        return self.target.with_name(".out.npy.parts")


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def process(monkeypatch, rank, size):
    monkeypatch.setattr(conversion, "process_of", lambda: (rank, size))


def test_each_file_is_converted_once(files):
    assert files.run() == files.run() == NUMBERS
    assert files.seen == [path.name for path in files.paths] and files.merges == 1
    assert not files.parts.exists()


def test_after_an_end_any_number_of_processes_does_the_rest(files, monkeypatch):
    files.stop_at = "3.txt"
    with pytest.raises(KeyboardInterrupt):
        files.run()
    (part,) = files.parts.glob("part-0-of-1-*")
    part.write_bytes(part.read_bytes() + b"half a record")
    process(monkeypatch, 1, 3)
    files.stop_at = "5.txt"  # of the second part of three, which is done last here
    with pytest.raises(KeyboardInterrupt):
        files.run()
    process(monkeypatch, 2, 3)  # the two others are not there
    files.stop_at = None
    assert files.run() == NUMBERS
    assert sorted(files.seen) == [path.name for path in files.paths]
    assert not files.parts.exists()


def test_the_part_that_another_process_is_at_is_waited_for(files, monkeypatch):
    process(monkeypatch, 0, 2)
    with exclusive_if_free(files.parts, "part-1-of-2") as is_free:
        assert is_free
        waiting = threading.Thread(target=files.run)
        waiting.start()
        waiting.join(1)
        assert waiting.is_alive() and sorted(files.seen) == ["0.txt", "2.txt", "4.txt", "6.txt"]
    waiting.join(60)  # that process has ended, its part undone
    assert files.run() == NUMBERS and len(files.seen) == 7 and files.merges == 1


@pytest.mark.parametrize("is_merged", [True, False])
def test_another_process_comes_first(files, monkeypatch, is_merged):
    def leave(_):
        shutil.rmtree(files.parts)
        if is_merged:
            np.save(files.target, NUMBERS)

    process(monkeypatch, 0, 2)
    monkeypatch.setattr(conversion.time, "sleep", leave)
    with exclusive_if_free(files.parts, "part-1-of-2"):
        if is_merged:
            assert files.run() == NUMBERS
        else:
            with pytest.raises(
                ValueError, match=r"out\.npy: another process found files that cannot be used, and lists them"
            ):
                files.run()
    assert sorted(files.seen) == ["0.txt", "2.txt", "4.txt", "6.txt"] and files.merges == 0
    assert not files.parts.exists()


def test_what_is_wrong_with_files_is_told_at_the_end(files):
    files.paths[1].write_text("one")
    with pytest.raises(ValueError, match=r"^invalid literal .* 'one'$"):
        files.run()
    files.paths[4].unlink()
    with pytest.raises(ValueError, match=r"^2 of 7 numbers cannot be used:\n(?s:.*)4\.txt: cannot be opened"):
        files.run()
    assert len(files.seen) == 14 and not files.parts.exists() and not files.target.exists()
    files.paths[1].write_text("1")
    files.paths[4].write_text("4")
    assert files.run() == NUMBERS


def test_parts_of_files_that_have_changed_count_for_nothing(files):
    files.stop_at = "3.txt"
    with pytest.raises(KeyboardInterrupt):
        files.run()
    files.paths[0].write_text("50")
    files.stop_at = None
    assert files.run() == [100, *NUMBERS[1:]]
    assert not files.parts.exists()


def test_words_travel_as_numbers():
    words = ["pulse", "größe", "\udce9", ""]
    assert unpacked(packed(words)) == words and packed(words).dtype == np.uint8


def test_no_more_workers_than_cores_of_this_process(monkeypatch):
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert [workers.useful(work) for work in (0, 1, 2, 100)] == [0, 0, 2, 8]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert workers.useful(100) == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert workers.useful(100) == 0


def test_what_a_killed_process_of_another_setting_was_writing_goes(files, tmp_path):
    for name in (".other.npy.1.tmp", ".other.npy.lock", ".out.npy.2.tmp", "other.npy"):
        (tmp_path / name).touch()
    assert files.run() == NUMBERS
    assert sorted(path.name for path in tmp_path.glob("*.*") if path.suffix != ".txt") == [
        ".other.npy.lock", ".out.npy.lock", "other.npy", "out.npy",
    ]  # fmt: skip
