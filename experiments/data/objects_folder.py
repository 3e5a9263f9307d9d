"""Objects of airborne laser scans as a folder of clouds.

    python -m ccnn_geo.experiments.data.objects_folder dales_objects.npz OUT

Reads an archive of objects of the DALES survey (``pos``, ``offset``, ``label``, ``class_names``: building, car, fence,
pole, tree) and writes them as ``OUT/train|validation/<class>/<index>.npy``, positions in metres. Every fifth object of
a class is for validation.
"""

from __future__ import annotations

import numpy as np

from ccnn_geo.experiments.data.clouds import parse, write_clouds


def main(argv: list[str] | None = None) -> None:
    """Writes the folder and prints the number of files of each split."""
    options = parse(__doc__, argv)
    with np.load(options.archive, allow_pickle=False) as data:
        clouds = np.split(data["pos"], data["offset"][1:-1])
        labels, names = data["label"], data["class_names"]
    write_clouds(
        options.out,
        (
            ("validation" if rank % 5 == 4 else "train", str(name), f"{i:04d}", clouds[i])
            for label, name in enumerate(names)
            for rank, i in enumerate(np.flatnonzero(labels == label))
        ),
    )


if __name__ == "__main__":
    main()
