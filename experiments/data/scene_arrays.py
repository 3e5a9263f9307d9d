"""An airborne scene as scans with a label per point: arrays of named columns in ``.npy``, or LAS files.

    python -m ccnn_geo.experiments.data.scene_arrays SCENES.NPZ OUT [--las]

SCENES.NPZ has ``Topography_xyz [N, 3]`` in metres, and ``Topography_intensity``, ``Topography_return_number`` and
``Topography_classification [N]`` (the examples of the package lidR; labels 1 none, 2 ground, 9 water). OUT gets
``<split>/Topography.npy``, an array of rows with the columns x, y, z, intensity from 0 to 1, return_number and label:
the last fifth along x is the test set, the fifth before it the validation set. With ``--las`` it gets
``<split>/Topography.las``, to a millimetre: the last third is the test set.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ccnn_geo._base.extras import needs
from ccnn_geo.experiments.data.clouds import parse, tell
from ccnn_geo.io.files.storage import read_arrays, write_atomic

ROW = np.dtype(
    [(name, "<f4") for name in ("x", "y", "z", "intensity")] + [("return_number", "u1"), ("label", "u1")]
)
ARRAYS = ("xyz", "intensity", "return_number", "classification")


def convert(source: Path, out: Path, scene: str = "Topography", las: bool = False) -> Mapping[str, int]:
    """Writes the scans and returns the number of points of each split.

    Raises:
        ImportError: If laspy is missing, for LAS files.
        ValueError: If the archive is damaged, or lacks an array.
    """
    arrays = read_arrays(source, [f"{scene}_{name}" for name in ARRAYS])
    named = {name: arrays[f"{scene}_{name}"] for name in ARRAYS}
    x = named["xyz"][:, 0]
    share = (x - x.min()) / np.ptp(x)
    ends = {"train": 2 / 3, "test": 1.0} if las else {"train": 0.6, "validation": 0.8, "test": 1.0}
    places = np.searchsorted([*ends.values()], share)
    parts = {split: places == i for i, split in enumerate(ends)}
    largest = named["intensity"].max()
    for split, inside in parts.items():
        some = {name: values[inside] for name, values in named.items()}
        if las:
            _write_las(out / split / f"{scene}.las", **some)
        else:
            write_atomic(out / split / f"{scene}.npy", partial(np.save, arr=_rows(largest, **some)))
    return {split: int(inside.sum()) for split, inside in parts.items()}


def _rows(
    largest: float,
    xyz: NDArray[Any],
    intensity: NDArray[Any],
    return_number: NDArray[Any],
    classification: NDArray[Any],
) -> NDArray[Any]:
    rows = np.zeros(len(xyz), ROW)
    rows["x"], rows["y"], rows["z"] = xyz.T
    rows["intensity"], rows["return_number"], rows["label"] = (
        intensity / largest,
        return_number,
        classification,
    )
    return rows


def _write_las(path: Path, xyz: NDArray[Any], **columns: NDArray[Any]) -> None:
    with needs("data", "scene_arrays --las"):
        import laspy
    header = laspy.LasHeader(point_format=6, version="1.4")
    header.scales = np.full(3, 0.001)
    scan = laspy.LasData(header)
    scan.xyz = xyz
    for name, values in columns.items():
        scan[name] = values
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, partial(scan.write, do_compress=False))


def main(argv: list[str] | None = None) -> None:
    """Writes the scans and prints the number of points of each split."""
    options = parse(__doc__, argv, las="LAS files instead of arrays")
    tell(options.out, convert(options.archive, options.out, las=options.las))


if __name__ == "__main__":
    main()
