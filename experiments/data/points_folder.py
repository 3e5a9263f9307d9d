"""Points of ModelNet10's test meshes as a folder of clouds, for networks that have learned from voxels.

    python -m ccnn_geo.experiments.data.points_folder modelnet10_test50_points.npz OUT

Reads an archive of clouds (``pos [M, 2048, 3]``, ``label``, ``class_names``) and writes them as
``OUT/test/<class>/<index>.npy``, positions alone.
"""

from __future__ import annotations

import numpy as np

from ccnn_geo.experiments.data.clouds import parse, write_clouds


def main(argv: list[str] | None = None) -> None:
    """Writes the folder and prints the number of files."""
    options = parse(__doc__, argv)
    with np.load(options.archive, allow_pickle=False) as data:
        clouds, labels, names = data["pos"].astype(np.float32), data["label"], data["class_names"]
    write_clouds(
        options.out,
        (("test", str(names[label]), f"{i:04d}", clouds[i]) for i, label in enumerate(labels)),
    )


if __name__ == "__main__":
    main()
