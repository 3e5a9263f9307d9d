"""Points of ModelNet's shapes as a folder of clouds: ModelNet10's test meshes, or both sets of eight classes.

    python -m ccnn_geo.experiments.data.points_folder modelnet10_test50_points.npz OUT
    python -m ccnn_geo.experiments.data.points_folder modelnet8_points.npz OUT

Reads an archive of clouds (``pos [M, N, 3]``, ``label``, ``class_names``, perhaps ``is_test``) and writes them as
``OUT/<split>/<class>/<index>.npy``, positions only; without ``is_test`` all belong to the test set.
"""

from __future__ import annotations

import numpy as np

from ccnn_geo.experiments.data.clouds import parse, write_clouds


def main(argv: list[str] | None = None) -> None:
    """Writes the folder and prints the number of files."""
    options = parse(__doc__, argv)
    with np.load(options.archive, allow_pickle=False) as data:
        clouds, labels, names = data["pos"].astype(np.float32), data["label"], data["class_names"]
        parts = np.where(data.get("is_test", labels >= 0), "test", "train")
    write_clouds(
        options.out,
        ((str(parts[i]), str(names[label]), f"{i:04d}", clouds[i]) for i, label in enumerate(labels)),
    )


if __name__ == "__main__":
    main()
