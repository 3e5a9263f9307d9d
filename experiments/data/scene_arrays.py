"""An airborne scene as arrays of named columns, a label per point: scans in ``.npy``.

    python -m ccnn_geo.experiments.data.scene_arrays SCENES.NPZ OUT

SCENES.NPZ has ``Topography_xyz [N, 3]`` in metres, and ``Topography_intensity``, ``Topography_return_number`` and
``Topography_classification [N]`` (the examples of the package lidR; labels 1 none, 2 ground, 9 water). OUT gets
``<split>/Topography.npy``, an array of rows with the columns x, y, z, intensity from 0 to 1, return_number and label:
the last fifth along x is the test part, the fifth before it validates.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from ccnn_geo.experiments.data.clouds import parse, tell
from ccnn_geo.io.files.storage import read_arrays, write_atomic

ROW = np.dtype(
    [(name, "<f4") for name in ("x", "y", "z", "intensity")] + [("return_number", "u1"), ("label", "u1")]
)
ARRAYS = ("xyz", "intensity", "return_number", "classification")


def convert(source: Path, out: Path, scene: str = "Topography") -> Mapping[str, int]:
    """Writes the scans and returns the number of points of each part.

    Raises:
        ValueError: If the archive is damaged, or lacks an array.
    """
    arrays = read_arrays(source, [f"{scene}_{name}" for name in ARRAYS])
    xyz, intensity, number, label = (arrays[f"{scene}_{name}"] for name in ARRAYS)
    rows = np.zeros(len(xyz), ROW)
    rows["x"], rows["y"], rows["z"] = xyz.T
    rows["intensity"], rows["return_number"], rows["label"] = intensity / intensity.max(), number, label
    share = (xyz[:, 0] - xyz[:, 0].min()) / np.ptp(xyz[:, 0])
    parts = {"train": share <= 0.6, "validation": (share > 0.6) & (share <= 0.8), "test": share > 0.8}
    for split, inside in parts.items():
        write_atomic(out / split / f"{scene}.npy", partial(np.save, arr=rows[inside]))
    return {split: int(inside.sum()) for split, inside in parts.items()}


def main(argv: list[str] | None = None) -> None:
    """Writes the scans and prints the number of points of each part."""
    options = parse(__doc__, argv)
    tell(options.out, convert(options.archive, options.out))


if __name__ == "__main__":
    main()
