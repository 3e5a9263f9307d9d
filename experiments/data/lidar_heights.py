"""Height above the ground as a field of points: tiles of airborne laser scans, for a regression per point.

    python -m ccnn_geo.experiments.data.lidar_heights SCENES.NPZ OUT

SCENES.NPZ has ``<scene>_xyz [N, 3]`` in metres and ``<scene>_classification [N]`` of each scene (the examples of the
package lidR). The ground below a point is interpolated linearly between the points of class 2; outside of their hull it
is the ground of the nearest one. OUT gets ``<split>/<scene>_<x>_<y>.npz``, square tiles with ``pos`` and ``height``. In
each scene the last fifth along x is the test set, the fifth before it the validation set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

from ccnn_geo.experiments.data.clouds import parse, tell
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.transforms.scan_points import cells

SCENES = ("Topography", "MixedConifer", "Megaplot")
GROUND, EDGE, FEWEST = 2, 20.0, 64
"""Class of the ground, edge of a tile in metres, and fewest points of a tile."""


def heights(xyz: np.ndarray, classification: np.ndarray) -> np.ndarray:
    """Computes the height of each point above the ground.

    Shapes:
        ``xyz [N, 3]``, ``classification [N]`` -> ``[N]``, in the unit of xyz.

    Raises:
        ValueError: If there are less than four points of the ground.
    """
    ground = np.unique(xyz[classification == GROUND], axis=0)
    if len(ground) < 4:
        raise ValueError(f"expected points of class {GROUND}, the ground, got {len(ground)}")
    below = LinearNDInterpolator(ground[:, :2], ground[:, 2])(xyz[:, :2])
    outside = np.isnan(below)
    below[outside] = NearestNDInterpolator(ground[:, :2], ground[:, 2])(xyz[outside, :2])
    return xyz[:, 2] - below


def convert(source: Path, out: Path) -> Mapping[str, int]:
    """Writes the tiles and returns their number in each split.

    Raises:
        ValueError: If the archive is damaged, lacks a scene, or a scene has no ground.
    """
    counts = Counter[str]()
    for scene in SCENES:
        arrays = read_arrays(source, (f"{scene}_xyz", f"{scene}_classification"))
        xyz = arrays[f"{scene}_xyz"].astype(np.float64)
        height = heights(xyz, arrays[f"{scene}_classification"])
        cell = cells(xyz, EDGE).astype(np.int64)
        share = (cell[:, 0] - cell[:, 0].min() + 0.5) / (np.ptp(cell[:, 0]) + 1)
        for x, y in np.unique(cell, axis=0).tolist():
            inside = (cell == (x, y)).all(axis=1)
            if inside.sum() < FEWEST:
                continue
            place = float(share[inside][0])
            split = "test" if place > 0.8 else "validation" if place > 0.6 else "train"
            tile = partial(np.savez, pos=xyz[inside], height=height[inside])
            write_atomic(out / split / f"{scene}_{x}_{y}.npz", tile)
            counts[split] += 1
    return counts


def main(argv: list[str] | None = None) -> None:
    """Writes the tiles and prints their number in each split."""
    options = parse(__doc__, argv)
    tell(options.out, convert(options.archive, options.out))


if __name__ == "__main__":
    main()
