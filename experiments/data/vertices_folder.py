"""Vertices of ModelNet40's meshes as a folder of clouds, with a validation set fixed by names.

    python -m ccnn_geo.experiments.data.vertices_folder modelnet40_vertices33_train.npz OUT

Reads an archive of mesh vertices (``pos [M, N, 3]`` as whole numbers up to 32,767, in units of ``scale [M]``;
``label``, ``class_names``, ``name``) of 33 classes of the official training set and writes them as
``OUT/train|validation/<class>/<name>.npy``. The names in ``modelnet33_validation.txt`` are for validation: a tenth of
each class, drawn once. Vertices lie where a modeller put them, some of them several times.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from ccnn_geo.experiments.data.clouds import parse, write_clouds

LARGEST = 32767
NAMES = "modelnet33_validation.txt"


def validation_names() -> frozenset[str]:
    """Returns the names of the validation shapes.

    Example:
        >>> len(validation_names()), "airplane_0013" in validation_names()
        (759, True)
    """
    return frozenset(files("ccnn_geo.experiments.data").joinpath(NAMES).read_text().split())


def main(argv: list[str] | None = None) -> None:
    """Writes the folder and prints the number of files of each split.

    Raises:
        ValueError: If the archive lacks a validation shape.
    """
    options = parse(__doc__, argv)
    with np.load(options.archive, allow_pickle=False) as data:
        names, classes, held = data["name"], data["class_names"][data["label"]], validation_names()
        clouds = data["pos"].astype(np.float32) * (data["scale"] / LARGEST).astype(np.float32)[:, None, None]
    missing = sorted(held - set(names.tolist()))
    if missing:
        raise ValueError(
            f"{options.archive}: expected all {len(held)} validation shapes, {len(missing)} are missing, such as "
            f"{missing[0]}"
        )
    parts = ["validation" if name in held else "train" for name in names.tolist()]
    write_clouds(options.out, zip(parts, classes.tolist(), names.tolist(), clouds, strict=True))


if __name__ == "__main__":
    main()
