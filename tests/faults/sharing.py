"""Several processes prepare the files of a data set, or answer files, together; some are killed: what happened."""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from forks import die, fork, start, wait
from small_model import write_model

from ccnn_geo.cli import main
from ccnn_geo.datasets import ShapeFolder
from ccnn_geo.datasets.base import processing
from ccnn_geo.export.parts import Parts

NAMES = [f"{i:02d}.npy" for i in range(14)]
ROOT, NOTES = Path("clouds"), Path("notes")


def write_clouds() -> None:
    """Two classes of seven clouds, in a working folder of their own."""
    for i, name in enumerate(NAMES):
        path = ROOT / "train" / ("ball", "disc")[i % 2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.random.default_rng(i).normal(size=(40, 6)))


def command(rank: int, size: int, *arguments: str) -> int:
    """One of the processes that ``torchrun`` starts."""
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size))
    return main(arguments)


def prepare(rank: int, size: int, kill_at: int = 0, together: int = 0) -> int:
    """Notes every file that was read, and is killed at the n-th if one is named.

    As many processes as are said wait for each other at their first file, so that none has done all before another
    has begun.
    """
    read, count = processing.read_shape, 0

    def noted(path, columns):
        nonlocal count
        count += 1
        if count == 1 and together:
            Path(f"waits-{os.getpid()}").touch()
            for _ in range(600):
                if len(list(Path().glob("waits-*"))) >= together:
                    break
                time.sleep(0.1)
        if count == kill_at:
            die()
        try:
            return read(path, columns)
        finally:
            with NOTES.open("a") as file:
                file.write(f"{Path(path).name}\n")

    processing.read_shape = noted
    return command(rank, size, "data", "prepare", "folder", "--root", str(ROOT))


def notes() -> list[str]:
    return sorted(NOTES.read_text().split()) if NOTES.exists() else []


def all_of(size: int, kill_at: Sequence[int] = (), together: int = 0) -> dict:
    """How so many processes end that begin at once, those with a number killed at that file."""
    for path in Path().glob("waits-*"):
        path.unlink()
    begun = [start(prepare, rank, size, n, together) for rank, n in enumerate(kill_at or [0] * size)]
    ended = [wait(*one) for one in begun]
    return {
        "codes": [one.result if one.code == 0 else one.code for one in ended],
        "outputs": [one.output for one in ended],
        "errors": [one.errors for one in ended],
        "notes": notes(),
        "left": sorted(path.suffix for path in (ROOT / "processed").iterdir()),
    }


def prepared(size: int, kill_at: Sequence[int], then: int) -> dict:
    """Some processes are killed; so many others go on."""
    Path(f"{size}-{then}").mkdir()
    os.chdir(f"{size}-{then}")
    write_clouds()
    expected = Path(fork(lambda: str(ShapeFolder(ROOT, "train", cache="alone").processed_file)).result)
    found = {"killed": all_of(size, kill_at), "then": all_of(then, together=then)}
    found["same"] = (ROOT / "processed" / expected.name).read_bytes() == expected.read_bytes()
    os.chdir("..")
    return found


def unreadable() -> dict:
    """One of the files is none."""
    Path("unreadable").mkdir()
    os.chdir("unreadable")
    write_clouds()
    (ROOT / "train/disc/01.npy").write_bytes(b"no array")
    found = all_of(2, together=2)
    os.chdir("..")
    return found


GIVEN = ("predict", "model", "clouds", "--batch-size", "2", "--out", "out")


def killed_answering() -> int:
    """The first of two processes, killed when it has eight answers."""
    add, count = Parts.add, 0

    def added(self: Parts, found: Iterable[dict]) -> None:
        nonlocal count
        some = list(found)
        count += len(some)
        add(self, some)
        if count >= 8:
            die()

    Parts.add = added
    return command(0, 2, *GIVEN)


def answered() -> dict:
    """Of two processes that answer, the first is killed; then both begin again."""
    Path("answered").mkdir()
    os.chdir("answered")
    fork(write_model)
    alone = fork(main, ("predict", "model", "clouds", "--csv"))
    np.save("clouds/99.npy", np.zeros((4, 2)))  # no cloud
    killed, part = fork(killed_answering).code, Path("out/part-0-of-2.jsonl")
    done, whole = part.read_bytes(), Path("out/predictions.csv").exists()
    part.write_bytes(done + b'{"model": "cut o')  # as a process that is killed while it writes leaves it
    both = [wait(*one) for one in [start(command, rank, 2, *GIVEN) for rank in (0, 1)]]
    found = {
        "alone": alone.output,
        "killed": [killed, done.count(b"\n"), whole],
        "codes": sorted(one.result for one in both),
        "output": both[0].output,
        "json": Path("out/predictions.json").read_text(),
        "csv": Path("out/predictions.csv").read_text(),
        "left": sorted(path.name for path in Path("out").glob("[!.]*")),
    }
    os.chdir("..")
    return found


def all_shared() -> dict:
    Path("shared").mkdir()
    os.chdir("shared")
    found = {"one": prepared(2, (5,), 2), "all": prepared(2, (3, 5), 3)}
    found |= {"unreadable": unreadable(), "answered": answered()}
    os.chdir("..")
    return found
