"""ModelNet10's voxel grids as a folder of surface cells, for what is trained on voxels at small scale.

    python -m ccnn_geo.experiments.data.voxels_folder modelnet10_voxels.npz OUT

Reads an archive of 30^3 grids (``voxels``, bits of each grid; ``label``, ``class_names``, ``is_test``) and writes the
centres of the surface cells, those with an empty neighbour across a face, of the official training part as
``OUT/train|validation/<class>/<index>.npy``: every fifth shape of a class validates. A shape's longest side covers 24
cells, which are [-1, 1]. Grids that are empty in the source are left out, and the test part is not touched.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ccnn_geo.experiments.data.clouds import parse, write_clouds

SIDE, COVERED = 30, 24
"""Cells of a grid's side, and of the longest side of a shape."""


def surface(cells: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Centres of the occupied cells that have an empty neighbour across a face: ``[S, S, S]`` to ``[N, 3]``.

    Example:
        >>> len(surface(np.ones((3, 3, 3), dtype=bool)))
        26
    """
    padded = np.pad(cells, 1)
    inner = cells.copy()
    for axis in range(3):
        for step in (-1, 1):
            inner &= np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
    centres = (np.argwhere(cells & ~inner) + 0.5 - SIDE / 2) / (COVERED / 2)
    return centres.astype(np.float32)


def main(argv: list[str] | None = None) -> None:
    """Writes the folder and prints the number of files of each part."""
    archive, out = parse(__doc__, argv)
    with np.load(archive, allow_pickle=False) as data:
        trained = np.flatnonzero(~data["is_test"].astype(bool))
        labels, names = data["label"][trained], data["class_names"]
        grids = np.unpackbits(data["voxels"][trained], axis=1, count=SIDE**3).astype(bool)
    write_clouds(
        out,
        (
            (
                "validation" if rank % 5 == 4 else "train",
                str(name),
                f"{trained[i]:04d}",
                surface(grids[i].reshape(SIDE, SIDE, SIDE)),
            )
            for label, name in enumerate(names)
            for rank, i in enumerate(i for i in np.flatnonzero(labels == label) if grids[i].any())
        ),
    )


if __name__ == "__main__":
    main()
