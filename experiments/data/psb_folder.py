"""Princeton Shape Benchmark as a folder of clouds, the real shapes of docs/results.md.

    python -m ccnn_geo.experiments.data.psb_folder psb.npz OUT

Reads an archive of the benchmark's official training half (``path``, ``pos [M, 2048, 3]``, ``normal``) and
writes the ten large top-level classes as ``OUT/train|validation/<class>/<index>.npy``, positions and normals.
Every fourth shape of a class is for validation: 520 train, 167 validation. ``OUT/kinds.csv`` names the leaf class of
each shape, for ``kind_folds``. The official test half is not used.
"""

from __future__ import annotations

from operator import methodcaller

import numpy as np

from ccnn_geo.experiments.data.clouds import parse, write_clouds
from ccnn_geo.experiments.data.kind_folds import HEADER, KINDS
from ccnn_geo.io.files.storage import write_atomic

CLASSES = (
    "aircraft", "animal", "blade", "body_part", "building", "furniture", "liquid_container", "plant",
    "sea_vessel", "vehicle",
)  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    """Writes the folder and prints the number of files of each split."""
    options = parse(__doc__, argv)
    with np.load(options.archive, allow_pickle=False) as data:
        paths = data["path"].tolist()
        clouds = np.concatenate([data["pos"], data["normal"]], axis=-1).astype(np.float32)
    top = np.array([path.split("/")[0] for path in paths])
    placed = [
        ("validation" if rank % 4 == 3 else "train", name, f"m{index:04d}", index)
        for name in CLASSES
        for rank, index in enumerate(np.flatnonzero(top == name).tolist())
    ]
    write_clouds(options.out, ((part, name, file, clouds[index]) for part, name, file, index in placed))
    rows = [
        ",".join(HEADER),
        *(f"{part}/{name}/{file}.npy,{paths[index]}" for part, name, file, index in placed),
    ]
    write_atomic(options.out / KINDS, methodcaller("write", "".join(f"{row}\n" for row in rows).encode()))


if __name__ == "__main__":
    main()
