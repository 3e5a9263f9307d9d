"""The picture of the README: the same weights on a voxel grid and on points of the same object.

python -m ccnn_geo.experiments.studies.two_samplings_picture GRID.npy POINTS.npy --out two_samplings.png
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo import load
from ccnn_geo.export import Prediction
from ccnn_geo.visualization.canvas import canvas, save

MODEL = "modelnet10"
GRID, POINTS = "#4477aa", "#ee6677"
"""Blue and red that colour-blind readers tell apart (Paul Tol's bright scheme)."""
VIEW = {"elev": 18, "azim": -60}


def draw(grid: Path, points: Path, path: Path) -> Path:
    """Draws both files with the predictions of the packaged network."""
    model = load(MODEL)
    cells, cloud = np.load(grid) > 0, np.load(points)[:, :3]
    filled = np.argwhere(cells)
    cells = cells[tuple(slice(low, high + 1) for low, high in zip(filled.min(0), filled.max(0), strict=True))]
    figure = canvas(8, 4)
    for place, file, what in ((1, grid, "voxel grid"), (2, points, "points of its mesh")):
        answer = model(file)
        assert isinstance(answer, Prediction), "a class of the whole file"
        axes: Any = figure.add_subplot(1, 2, place, projection="3d")
        if file == grid:
            axes.voxels(cells, facecolor=GRID, edgecolor="#ffffff60", linewidth=0.3)
        else:
            axes.scatter(*cloud.T, s=4, color=POINTS, linewidth=0)
        axes.set_box_aspect(np.ptp(cloud, axis=0) if file == points else cells.shape)
        axes.view_init(**VIEW)
        axes.set_axis_off()
        axes.set_title(f"{what}: {answer.label}, {100 * answer.probability:.0f} %")
    return save(figure, path)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command with these arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("grid", type=Path)
    parser.add_argument("points", type=Path)
    parser.add_argument("--out", type=Path, default=Path("two_samplings.png"))
    args = parser.parse_args(arguments)
    print(draw(args.grid, args.points, args.out))


if __name__ == "__main__":
    main()
