"""Scores of a network's part labels on whole meshes, face by face, without their category as input.

    python -m ccnn_geo.experiments.benchmarks.part_scores RUN FOLDER                # <category>/NAME.off with labels

Prints the share of the surface with the correct part, the number of shapes with the correct category, and the mean IoU:
for each shape over the parts in its labels or its prediction, by area, then over shapes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ccnn_geo import load
from ccnn_geo.datasets.shapes.part_folder import PARTS
from ccnn_geo.export import PointPrediction, Predictor
from ccnn_geo.io.files.sample_files import list_samples
from ccnn_geo.io.shapes.part_labels import PartLabels, read_labelled_shape
from ccnn_geo.io.shapes.shape import Shape
from ccnn_geo.nn.part_groups import SIGN


class Score(NamedTuple):
    """Scores of a shape: the correct share of its surface, the mean IoU of its parts, and whether its category is."""

    accuracy: float
    iou: float
    category: bool


def areas(shape: Shape) -> np.ndarray:
    """Area of each face in the order of the file; 1 for each point of a cloud."""
    if shape.faces is None:
        return np.ones(len(shape.vertices))
    corner = shape.vertices[shape.faces]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1) / 2
    return np.bincount(shape.polygon, area, shape.num_parts)


def score(truth: Sequence[str | None], answer: Sequence[str], area: np.ndarray, category: str) -> Score:
    """Compares names of parts, face by face; None for unknown ones.

    Example:
        >>> score(["cup/a", "cup/a", "cup/b", None], ["cup/a", "cup/b", "cup/b", "cup/a"], np.ones(4), "cup").iou
        0.5
    """
    known = np.array([name is not None for name in truth])
    given, said = np.array(truth, dtype=object)[known], np.array(answer, dtype=object)[known]
    area = area[known]
    names = sorted({*given, *said})
    both = [area[(given == name) & (said == name)].sum() for name in names]
    either = [area[(given == name) | (said == name)].sum() for name in names]
    ious = [a / b for a, b in zip(both, either, strict=True) if b > 0]
    own = all(name.rpartition(SIGN)[0] in ("", category) for name in answer)
    return Score(float(sum(both) / area.sum()), float(np.mean(ious)), own)


def names_of(parts: PartLabels, category: str, classes: Sequence[str]) -> list[str | None]:
    """Returns the names of the classes of all faces."""
    several = all(SIGN in name for name in classes)
    names = [f"{category}{SIGN}{name}" if several else name for name in parts.names]
    return [names[i] if i >= 0 else None for i in parts.index.tolist()]


def scores(model: Predictor, folder: Path) -> dict[str, list[Score]]:
    """Scores all shapes in a folder of categories, by category."""
    found: dict[str, list[Score]] = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in list_samples(place, PARTS).paths:
            shape, parts = read_labelled_shape(path)
            found_parts = model(path)
            assert isinstance(found_parts, PointPrediction), "of faces"
            answer = [model.classes[i] for i in found_parts.labels.tolist()]
            truth = names_of(parts, place.name, model.classes)
            found.setdefault(place.name, []).append(score(truth, answer, areas(shape), place.name))
    return found


def main(argv: list[str] | None = None) -> None:
    """Prints a row for each category, and one for all shapes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a run, checkpoint or model, as for predict")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(argv)
    found = scores(load(options.run), options.folder)
    every = [one for some in found.values() for one in some]
    print(f"{'':<12} shapes  category  surface  mean IoU")
    for name, some in (*found.items(), ("all", every)):
        means = [100 * np.mean([one[i] for one in some]) for i in range(2)]
        right = f"{sum(one.category for one in some)} of {len(some)}"
        print(f"{name:<12} {len(some):>6}  {right:>8}  {means[0]:>5.1f} %  {means[1]:>6.1f} %")


if __name__ == "__main__":
    main()
