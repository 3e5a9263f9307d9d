"""Small folders with the names and layouts of the guides' data, and files that their commands name."""

from pathlib import Path

import numpy as np
import trimesh
from PIL import Image
from scipy.io import wavfile

from ccnn_geo.experiments.data import scene_arrays
from ccnn_geo.io.files.storage import write_atomic

RNG = np.random.default_rng(0)
SPLITS = {"train": 8, "validation": 4, "test": 3}


def _each(root: Path, classes: tuple[str, str], named: str = "", splits: tuple[str, ...] = tuple(SPLITS)):
    """Places for files of each class, by the class's number; one validation or test file is called ``named``."""
    for number, label in enumerate(classes):
        for split in splits:
            folder = root / split / label
            folder.mkdir(parents=True)
            for i in range(SPLITS[split]):
                yield number, folder / (named if named and i == 0 and split != "train" else f"{i}")


def _cloud(number: int, num: int = 64) -> np.ndarray:
    points = RNG.normal(size=(num, 3)) * [1, 1, 0.1 + number]
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def _image(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


def shapes(place: Path) -> None:
    for number, path in _each(place / "shapes", ("animal", "furniture"), "m0400"):
        np.save(path, _cloud(number))


def voxels(place: Path) -> None:
    for number, path in _each(place / "voxels", ("chair", "desk")):
        grid = np.zeros((12, 12, 12), dtype=bool)
        grid[2 : 5 + 4 * number, 2:9, 3:8] = True
        np.save(path, grid)
    for number, path in _each(place / "meshes", ("chair", "desk"), "0011", ("test",)):
        np.save(path, _cloud(number))


def images(place: Path) -> None:
    for number, path in _each(place / "digits", ("3", "8"), "00030"):
        _image(path.with_suffix(".png"), RNG.integers(0, 99, (28, 28)) + 99 * number)
    for split, count in SPLITS.items():
        for i in range(count):
            mask = RNG.integers(0, 2, (12, 12))
            _image(place / "cluttered" / split / "images" / f"000{i}.png", 200 * mask)
            _image(place / "cluttered" / split / "masks" / f"000{i}.png", mask)
    (place / "cluttered/classes.txt").write_text("ground\nfigure\n")


def recordings(place: Path) -> None:
    def tone(path: Path, hertz: int, rate: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        wave = 9000 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate) + RNG.normal(size=rate)
        wavfile.write(path, rate, wave.astype(np.int16))

    for word, hertz in {"seven": 300, "six": 700}.items():
        for i in range(12):
            tone(place / "words" / word / f"{i}.wav", hertz, 16000)
    tone(place / "recordings" / "7_jackson_0.wav", 300, 8000)


def series(place: Path) -> None:
    def table(path: Path, rows: list[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(rows) + "\n")

    for number, ward in enumerate(("medical", "surgical")):
        for i in range(12):
            rows = [f"{t / 3:.3f},HR,{60 + 30 * number + RNG.normal():.1f}" for t in range(12)]
            table(place / "wards" / ward / f"{i}.csv", ["time,variable,value", *rows])
    for split, count in SPLITS.items():
        for i in range(count):
            rows = [
                f"{t / 50:.2f},{RNG.normal() + 9 * (t > 9):.1f},{'one' if t > 9 else 'silence'}"
                for t in range(20)
            ]
            table(place / "spoken" / split / f"00{i}.csv", ["time,band_1,label", *rows])


def scans(place: Path) -> None:
    num = 400
    xyz = RNG.uniform(0, 60, (num, 3)).astype(np.float32)
    write_atomic(
        place / "scenes.npz",
        lambda file: np.savez(
            file,
            Topography_xyz=xyz,
            Topography_intensity=RNG.integers(0, 99, num),
            Topography_return_number=np.ones(num, np.uint8),
            Topography_classification=RNG.choice([1, 2, 9], num),
        ),
    )
    scene_arrays.convert(place / "scenes.npz", place / "scans", las=True)
    for number, path in _each(place / "objects", ("car", "pole"), splits=("train", "validation")):
        np.save(path, _cloud(number) * 5)


def parts(place: Path) -> None:
    for _, path in _each(place / "parts", ("Chair", "Table"), "103"):
        mesh = trimesh.creation.box((1, 2, RNG.uniform(1, 2)))
        mesh.export(path.with_suffix(".off"))
        named = f"leg\n{' '.join(map(str, range(1, 7)))}\nseat\n{' '.join(map(str, range(7, 13)))}\n"
        path.with_name(f"{path.name}_labels.txt").write_text(named)


def numbers(place: Path) -> None:
    for split, count in SPLITS.items():
        molecules, tiles = place / "molecules" / split, place / "tiles" / split
        for folder in (molecules, tiles):
            folder.mkdir(parents=True)
        rows = ["file,energy [kcal/mol]"]
        for i in range(count):
            z = RNG.choice([1, 6], 5 + i)
            np.savez(molecules / f"{i}.npz", pos=RNG.normal(size=(5 + i, 3)), z=z)
            rows.append(f"{i}.npz,{-100.0 * z.sum() - i}")
            pos = RNG.uniform(0, 20, (40, 3))
            np.savez(tiles / f"Megaplot_10_{i}.npz", pos=pos, height=pos[:, 2])
        (molecules / "targets.csv").write_text("\n".join(rows) + "\n")


MAKERS = [shapes, voxels, images, recordings, series, scans, parts, numbers]
