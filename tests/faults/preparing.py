"""Prepares small data sets and is killed at steps of it; prints what happened as JSON.

python preparing.py FOLDER [--all] [NAME ...]
"""

import hashlib
import json
import os
import pickle
import shutil
import sys
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from forks import die, files, fill_disk, fork, import_all, start, unfinished, wait, watch
from scipy.io import wavfile

from ccnn_geo.datasets import CSVSeries, ImageFolder, ListOps, ParametricShapes, Pathfinder, ShapeFolder
from ccnn_geo.datasets.audio.speech_commands import SpeechCommandsRaw
from ccnn_geo.datasets.base import processing
from ccnn_geo.datasets.images import pathfinder_images, pathfinder_scenes

RNG = np.random.default_rng(0)
pathfinder_images.CHUNK = pathfinder_scenes.CHUNK = 10  # draws as many images as are asked for


def write_images(root: Path) -> None:
    from PIL import Image

    for name in ("cat", "dog"):
        (root / "train" / name).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(RNG.integers(256, size=(4, 5, 3), dtype=np.uint8)).save(
                root / "train" / name / f"{i}.png"
            )


def write_archive(root: Path) -> None:
    """The archive of Speech Commands as published, with ten recordings."""
    folder, info = root / "unpacked", SpeechCommandsRaw.info
    for name in ("no", "yes"):
        (folder / name).mkdir(parents=True)
        for i in range(5):
            wave = RNG.integers(-999, 999, 16000, dtype=np.int16)
            wavfile.write(folder / name / f"{i:08x}_nohash_0.wav", 16000, wave)
    for k, name in enumerate(("validation_list.txt", "testing_list.txt")):
        lines = [f"{word}/{k:08x}_nohash_0.wav\n" for word in ("no", "yes")]
        (folder / name).write_text("".join(lines))
    (root / info.folder).mkdir()
    with tarfile.open(root / info.folder / info.files[0].path, "w:gz") as archive:
        archive.add(folder, ".")
    shutil.rmtree(folder)


def write_series(root: Path) -> None:
    for name in ("ill", "well"):
        (root / "train" / name).mkdir(parents=True)
        (root / "train" / name / "a.csv").write_text("time,hr\n0,50\n8,90\n")


SETS: dict[str, tuple[Callable | None, Callable]] = {
    "shapes": (
        None,
        partial(ParametricShapes, train_per_class=1, test_per_class=1, num_samples=40, num_points=32),
    ),
    "images": (write_images, ImageFolder),
    "series": (write_series, CSVSeries),
    "expressions": (None, partial(ListOps, generate={"train": 3, "validation": 3, "test": 3})),
    "contours": (None, partial(Pathfinder, generate=10, num_workers=0)),
    "archive": (
        write_archive,
        partial(SpeechCommandsRaw, words=("no", "yes"), download=False, checksum=None, check_counts=False),
    ),
}


def content(name: str, root: Path) -> str:
    """Opens the training part; a digest of all its samples."""
    samples = SETS[name][1](root, "train")
    found = hashlib.sha256()
    for sample in samples:
        values = sample if isinstance(sample, tuple) else sample.to_dict()
        found.update(pickle.dumps(torch.utils._pytree.tree_map(_plain, values)))
    return f"{len(samples)} {found.hexdigest()}"


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, torch.Tensor) else value


def imported(name: str, root: Path) -> tuple[str, list[str]]:
    return content(name, root), list(sys.modules)


def fresh(name: str, work: Path) -> Path:
    """A folder with what is there before the preparation."""
    source, root = work / "source" / name, work / name
    if not source.exists():
        source.mkdir(parents=True)
        if SETS[name][0] is not None:
            SETS[name][0](source)
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(source, root)
    return root


def steps(name: str, root: Path) -> list[str]:
    seen = []
    watch(root, lambda event, path: seen.append(event))
    content(name, root)
    return seen


def killed(name: str, root: Path, step: int, half: bool) -> str:
    count = 0

    def found(event: str, path: Path) -> None:
        nonlocal count
        count += 1
        if count == step + 1:
            die(unfinished(path) if half else None)

    watch(root, found)
    return content(name, root)


def waits_for_another(name: str, root: Path, ready: int, go: int) -> tuple[str, int]:
    """Stops before its first rename, until another process asks for the lock."""
    renames = 0

    def found(event: str, path: Path) -> None:
        nonlocal renames
        if event == "os.rename":
            renames += 1
            if renames == 1:
                os.write(ready, b"1")
                os.read(go, 1)

    watch(root, found)
    return content(name, root), renames


def comes_second(name: str, root: Path, go: int) -> tuple[str, int]:
    renames = []

    def found(event: str, path: Path) -> None:
        if path.suffix == ".lock":
            os.write(go, b"1")
        if event == "os.rename":
            renames.append(path)

    watch(root, found)
    return content(name, root), len(renames)


def at_once(name: str, root: Path) -> list:
    ready, is_ready = os.pipe()
    go, goes = os.pipe()
    first = start(waits_for_another, name, root, is_ready, go)
    os.read(ready, 1)
    second = start(comes_second, name, root, goes)
    return [wait(*process).result for process in (first, second)]


def without_space(name: str, root: Path) -> str:
    fill_disk()
    return content(name, root)


def chosen(events: list[str]) -> list[int]:
    """The first step and the middle one, and the two on both sides of each file that gets its name."""
    renames = [i for i, event in enumerate(events) if event == "os.rename"]
    around = {0, len(events) // 2, *renames, *(i + 1 for i in renames)}
    return sorted(i for i in around if i < len(events))


def report(name: str, work: Path, at_all_steps: bool) -> dict:
    expected, modules = fork(imported, name, fresh(name, work)).result
    import_all(modules)
    events = fork(steps, name, fresh(name, work)).result
    wrong, kills = [], 0
    for step in range(len(events)) if at_all_steps else chosen(events):
        # what is renamed in some may be a folder
        halves = events[step] == "os.rename" and name not in ("shapes", "archive")
        for half in (False, True) if halves else (False,):
            root = fresh(name, work)
            code = fork(killed, name, root, step, half).code
            again = fork(content, name, root)
            kills += 1
            if code != -9 or again.result != expected:
                wrong.append((step, events[step], half, code, again))
    pair = at_once(name, fresh(name, work))
    root = fresh(name, work)
    before = files(root)
    full = fork(without_space, name, root)
    return {
        "expected": expected,
        "renames": events.count("os.rename"),
        "kills": kills,
        "wrong": wrong,
        "at_once": pair,
        "full": full.result,
        "left": sorted(set(files(root)) - set(before)),
        "afterwards": fork(content, name, root).result,
    }


def folder_of_shapes(root: Path, killed_at: str = "") -> tuple[int, int, int]:
    """Opens shapes of a folder, six of 32 points; perhaps killed while their file is written, or at the fifth shape.

    Returns their number, their points, and how many files were sampled.
    """
    real, seen = processing.sample_file, []

    def write_half(file, **arrays):
        file.write(b"half a file")
        file.flush()
        die()

    def sample_some(*args):
        seen.append(args)
        if len(seen) == 5 and killed_at == "sampling":
            die()
        return real(*args)

    if killed_at == "writing":
        processing.np.savez = write_half
    processing.sample_file = sample_some
    data = ShapeFolder(root, "train", num_samples=64, num_points=32)
    return len(data), data[0].num_nodes, len(seen)


def in_the_middle(root: Path) -> dict:
    for name in ("ball", "disc"):
        (root / "train" / name).mkdir(parents=True)
        for i in range(3):
            np.save(root / "train" / name / f"{i}.npy", RNG.normal(size=(64, 6)))

    def left() -> list[str]:
        return sorted(path.suffix for path in (root / "processed").iterdir())

    killed = {}
    for at in ("writing", "sampling"):
        killed[at] = (fork(folder_of_shapes, root, at).code, left())
        if at == "writing":
            shutil.rmtree(root / "processed")  # what follows begins anew
    return {**killed, "then": fork(folder_of_shapes, root).result, "left": left()}


def all_reports(work: Path, names: list[str], at_all_steps: bool = False) -> dict:
    found = {name: report(name, work, at_all_steps) for name in names or SETS}
    return found | {"in_the_middle": in_the_middle(work / "middle")}


if __name__ == "__main__":
    given = [name for name in sys.argv[2:] if name != "--all"]
    json.dump(all_reports(Path(sys.argv[1]), given, "--all" in sys.argv), sys.stdout)
