"""ModelNet10's voxel grids as a folder of grids, for training on voxels.

    python -m ccnn_geo.experiments.data.voxels_folder modelnet10_voxels.npz OUT

Reads an archive of 30^3 grids (``voxels``, bits of each grid; ``label``, ``class_names``, ``is_test``) and writes those
of the official training set as ``OUT/train|validation/<class>/<index>.npy``: every fifth shape of a class is for
validation. The longest side of a shape covers 24 cells. With ``--late`` the last fifth of a class is for validation:
consecutive shapes are often alike, and the official test set is the end of each class. With ``--test`` the official
test set goes to ``OUT/test``, with ``--all`` the whole training set to ``OUT/train``. With ``--half`` grids have
15 cells along each side, each occupied if one of its eight source cells is. Grids that are empty in the source are
left out.
"""

from __future__ import annotations

import numpy as np

from ccnn_geo.experiments.data.clouds import parse, write_clouds

SIDE = 30
"""Cells along a side of a grid."""


def main(argv: list[str] | None = None) -> None:
    """Writes the folder and prints the number of files of each split."""
    options = parse(
        __doc__,
        argv,
        test="also write the official test set",
        all="train on the whole training set",
        late="take the last fifth of each class for validation",
        half="grids of half the resolution",
    )
    with np.load(options.archive, allow_pickle=False) as data:
        labels, names, is_test = data["label"], data["class_names"], data["is_test"].astype(bool)
        grids = np.unpackbits(data["voxels"], axis=1, count=SIDE**3).reshape(-1, SIDE, SIDE, SIDE)
    occupied = grids.reshape(len(grids), -1).any(axis=1)
    some: list[tuple[str, int, int]] = []
    for label in range(len(names)):
        own = np.flatnonzero((labels == label) & occupied & ~is_test)
        rank = np.arange(len(own))
        held = rank >= round(0.8 * len(own)) if options.late else rank % 5 == 4
        parts = np.where(held & (not options.all), "validation", "train").tolist()
        some += [(part, label, i) for part, i in zip(parts, own.tolist(), strict=True)]
    if options.test:
        some += [("test", int(labels[i]), int(i)) for i in np.flatnonzero(occupied & is_test)]
    if options.half:
        grids = grids.reshape(-1, *(SIDE // 2, 2) * 3).max(axis=(2, 4, 6))
    write_clouds(options.out, ((part, str(names[label]), f"{i:04d}", grids[i]) for part, label, i in some))


if __name__ == "__main__":
    main()
