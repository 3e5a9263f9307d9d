"""Ten families of meshes that need no download."""

import os
import shutil
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.shapes.meshes import (
    Mesh,
    box,
    merge_meshes,
    prism,
    regular_polygon,
    revolve,
    tube,
    write_off,
)
from ccnn_geo.datasets.shapes.shape_folder import ShapeFolder
from ccnn_geo.io.files.storage import exclusive

Rng = np.random.Generator


def _torus(rng: Rng) -> Mesh:
    section = regular_polygon(14, rng.uniform(0.18, 0.42))
    return revolve(section + np.array([1, 0]), 36, closed=True)


def _ring(rng: Rng) -> Mesh:
    """Like a torus, but with a rectangular section."""
    w, h = rng.uniform(0.18, 0.42), rng.uniform(0.18, 0.42)
    return revolve(np.array([[1 - w, -h], [1 + w, -h], [1 + w, h], [1 - w, h]]), 40, closed=True)


def _spring(rng: Rng) -> Mesh:
    t = np.linspace(0, 1, 110)
    angle = 2 * np.pi * rng.uniform(2.2, 4.5) * t * rng.choice([-1, 1])
    path = np.column_stack([np.cos(angle), np.sin(angle), rng.uniform(0.8, 2.2) * t])
    return tube(path, rng.uniform(0.10, 0.17))


def _cup(rng: Rng) -> Mesh:
    """A beaker: thick wall, closed bottom, open top."""
    foot, wall, height = rng.uniform(0.6, 1.05), rng.uniform(0.06, 0.14), rng.uniform(1.2, 2.4)
    floor = 1.5 * wall
    inner = foot - wall + (1 - foot) * floor / height
    profile = [[0, 0], [foot, 0], [1, height], [1 - wall, height], [inner, floor], [0, floor]]
    return revolve(np.array(profile), 32, closed=False)


def _mug(rng: Rng) -> Mesh:
    """A cup with a handle."""
    vertices, faces = _cup(rng)
    height = vertices[:, 2].max()
    foot = np.hypot(*vertices[np.abs(vertices[:, 2]) < 1e-9, :2].T).max()
    angle = np.linspace(-np.pi / 2, np.pi / 2, 18)
    size, reach = rng.uniform(0.28, 0.36) * height, rng.uniform(0.45, 0.7)
    z = rng.uniform(0.48, 0.58) * height + size * np.sin(angle)
    x = foot + (1 - foot) * z / height - 0.04 + reach * np.cos(angle)
    handle = tube(np.column_stack([x, np.zeros_like(x), z]), rng.uniform(0.08, 0.13))
    return merge_meshes([(vertices, faces), handle])


def _legs(rng: Rng, points: np.ndarray, height: float, splay: float) -> list[Mesh]:
    width = rng.uniform(0.06, 0.13)
    feet = np.column_stack([points * splay, np.zeros(len(points))])
    tops = np.column_stack([points, np.full(len(points), height)])
    return [tube(np.linspace(a, b, 3), width, 6) for a, b in zip(feet, tops, strict=True)]


def _corners(x: float, y: float) -> np.ndarray:
    return np.array([[-x, -y], [x, -y], [x, y], [-x, y]])


def _table(rng: Rng) -> Mesh:
    """A rectangular top on four legs."""
    depth, height, thick = rng.uniform(0.6, 1), rng.uniform(0.8, 1.7), rng.uniform(0.06, 0.2)
    inset = rng.uniform(0.7, 0.9)
    legs = _legs(rng, _corners(inset, inset * depth), height, rng.uniform(0.9, 1.1))
    return merge_meshes([box([0, 0, height], [2, 2 * depth, thick]), *legs])


def _chair(rng: Rng) -> Mesh:
    """A table with a back, which is a board or a row of bars."""
    depth, height, thick = rng.uniform(0.75, 1), rng.uniform(0.8, 1.7), rng.uniform(0.06, 0.2)
    inset, back = rng.uniform(0.7, 0.9), rng.uniform(0.7, 1.4)
    parts = [box([0, 0, height], [2, 2 * depth, thick])]
    parts += _legs(rng, _corners(inset, inset * depth), height, rng.uniform(0.9, 1.1))
    bars = rng.integers(1, 5)
    width = 1.9 if bars == 1 else 1.0 / bars
    for x in np.linspace(-1, 1, bars + 2)[1:-1] if bars == 1 else np.linspace(-0.8, 0.8, bars):
        parts.append(box([x, depth - 0.06, height + back / 2], [width, 0.12, back]))
    if bars > 1:
        parts.append(box([0, depth - 0.06, height + back], [2, 0.12, 0.25]))
    return merge_meshes(parts)


def _stool(rng: Rng) -> Mesh:
    """A round seat on three legs."""
    height, thick = rng.uniform(0.8, 1.7), rng.uniform(0.06, 0.2)
    legs = _legs(rng, regular_polygon(3, rng.uniform(0.6, 0.8)), height, rng.uniform(0.95, 1.35))
    seat = prism(regular_polygon(28), height - thick / 2, height + thick / 2)
    return merge_meshes([seat, *legs])


def _star(rng: Rng) -> Mesh:
    """A prism over a star: every other corner is pulled in."""
    outline = regular_polygon(2 * rng.integers(4, 8))
    outline[1::2] *= rng.uniform(0.4, 0.6)
    return prism(outline, 0, rng.uniform(0.5, 2), rng.uniform(0.6, 1))


def _column(rng: Rng) -> Mesh:
    """A prism over a convex polygon."""
    return prism(regular_polygon(rng.integers(3, 9)), 0, rng.uniform(0.5, 2), rng.uniform(0.6, 1))


_FAMILIES: dict[str, Callable[[Rng], Mesh]] = {
    "chair": _chair,
    "column": _column,
    "cup": _cup,
    "mug": _mug,
    "ring": _ring,
    "spring": _spring,
    "star": _star,
    "stool": _stool,
    "table": _table,
    "torus": _torus,
}

PARAMETRIC_CLASSES: tuple[str, ...] = tuple(_FAMILIES)
"""Names of the families, in the order of the labels."""


def parametric_mesh(name: str, rng: Rng) -> Mesh:
    """Makes a random member of a family: vertices ``[V, 3]`` and triangles ``[F, 3]``.

    A shape with its own proportions is stretched along each axis, bent, leant over a little, turned upside down
    every other time, turned about the vertical axis and scaled. So size, spread, skewness and direction say little
    about its class.

    Args:
        name: one of ``PARAMETRIC_CLASSES``.
        rng: source of all randomness.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in _FAMILIES:
        raise ValueError(f"no family {name!r}, expected one of {', '.join(_FAMILIES)}")
    vertices, faces = _FAMILIES[name](rng)
    vertices = vertices - (vertices.max(0) + vertices.min(0)) / 2
    vertices = vertices / np.ptp(vertices, axis=0) ** 0.6  # makes flat and tall families less extreme
    vertices = vertices * np.exp(rng.uniform(-0.45, 0.45, 3))
    bend = rng.uniform(-0.25, 0.25, 2)
    vertices[:, :2] += bend * vertices[:, 2:] ** 2
    if rng.random() < 0.5:
        vertices = vertices * [1, -1, -1]
    angles = rng.uniform(-0.2, 0.2, 2)
    turn = _rotation(2, rng.uniform(0, 2 * np.pi)) @ _rotation(0, angles[0]) @ _rotation(1, angles[1])
    return vertices @ turn.T * np.exp(rng.uniform(-2, 2)), faces


def _rotation(axis: int, angle: float) -> np.ndarray:
    u, v = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[[u, u, v, v], [u, v, u, v]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
    return turn


class ParametricShapes(ShapeFolder):
    """Ten families of meshes, generated locally and read back like any other files: no download.

    The families are chair, column, cup, mug, ring, spring, star, stool, table and torus. Several differ in only one
    trait (the handle of a mug, the back of a chair, round or square sections). All have the same range of sizes,
    proportions and leanings, so moments of the points do not tell them apart. The ``.off`` files are in ``folder``, in
    the layout of :class:`ShapeFolder`.

    Args:
        root: folder of the files, which get their own subfolder.
        split: "train" or "test", with different shapes.
        train_per_class: shapes of each family for training.
        test_per_class: shapes of each family for testing.
        shape_seed: seed of the shapes; ``seed`` is for the points on them.
        **kwargs: see :class:`~ccnn_geo.datasets.shapes.shapes.ShapeDataset`.

    Raises:
        ValueError: for an unknown split, or less than one shape.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     train = ParametricShapes(root, train_per_class=1, test_per_class=1, num_points=64, num_samples=64)
        >>> len(train), train.classes[:3]
        (10, ['chair', 'column', 'cup'])
        >>> train[0]
        Data(y=[1], pos=[64, 3], normal=[64, 3], name='train/chair/chair_0001.off', x=[64, 6])
    """

    info = DatasetInfo(
        name="parametric",
        title="ten families of meshes, made on the spot, 512 points with normals",
        family="shape",
        in_channels=6,
        size=None,
        classes=len(PARAMETRIC_CLASSES),
        counts={"train": 600, "test": 200},
        prepared=40_000_000,
        source="this package",
    )

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        train_per_class: int = 60,
        test_per_class: int = 20,
        shape_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        counts = {"train": train_per_class, "test": test_per_class}
        if split not in counts or min(counts.values()) < 1:
            raise ValueError(
                f"expected split 'train' or 'test' and one shape or more, got {split!r} and {counts}"
            )
        root = Path(root).expanduser()
        self.folder = root / f"parametric_shapes-{train_per_class}-{test_per_class}-{shape_seed}"
        with exclusive(root, self.folder.name):
            if not self.folder.is_dir():
                _write(self.folder, counts, shape_seed)
        super().__init__(self.folder, split, **kwargs)


def _write(folder: Path, counts: dict[str, int], seed: int) -> None:
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)  # left by a process that was killed
    for part, (split, count) in enumerate(counts.items()):
        for label, name in enumerate(PARAMETRIC_CLASSES):
            target = unfinished / split / name
            target.mkdir(parents=True)
            for i in range(count):
                rng = np.random.default_rng([seed, part, label, i])
                write_off(target / f"{name}_{i + 1:04d}.off", parametric_mesh(name, rng))
    os.replace(unfinished, folder)
