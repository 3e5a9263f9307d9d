"""Princeton Shape Benchmark as a folder of clouds, the real shapes of docs/results.md.

    python -m ccnn_geo.experiments.data.psb_folder psb.npz OUT
    python -m ccnn_geo.experiments.data.psb_folder psb.npz OUT --unseen 0

Reads an archive of the benchmark's official training half (``path``, ``pos [M, 2048, 3]``, ``normal``) and
writes the ten large top-level classes as ``OUT/train|validation/<class>/<index>.npy``, positions and normals.
Every fourth shape of a class validates: 520 train, 167 validation. With ``--unseen`` whole kinds of shapes validate,
biplanes, say, and no biplane trains: of the kinds of a class, in the random order of the draw's number, the first that
together are a quarter of its shapes or more. The official test half is not touched.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ccnn_geo.experiments.data.clouds import write_clouds

CLASSES = (
    "aircraft", "animal", "blade", "body_part", "building", "furniture", "liquid_container", "plant",
    "sea_vessel", "vehicle",
)  # fmt: skip

SHARE = 0.25
"""Part of a class that validates."""


def unseen_kinds(paths: list[str], draw: int) -> set[str]:
    """The kinds that validate; the last one that is left of a class trains, whatever its size.

    Args:
        paths: Of each shape its kind, ``<class>/...``.
        draw: Number of the draw.

    Example:
        >>> shapes = ["blade/sword"] * 3 + ["blade/knife"] + ["plant/tree"] * 2 + ["plant/fern"] * 2
        >>> sorted(unseen_kinds(shapes, draw=0)), sorted(unseen_kinds(shapes, draw=2))
        (['blade/knife', 'plant/fern'], ['blade/knife', 'plant/tree'])
    """
    rng = np.random.default_rng(draw)
    held: set[str] = set()
    for name in sorted({path.split("/")[0] for path in paths}):
        own = [path for path in paths if path.split("/")[0] == name]
        kinds = sorted(set(own))
        count = 0
        for i in rng.permutation(len(kinds))[:-1].tolist():
            if count >= SHARE * len(own):
                break
            held.add(kinds[i])
            count += own.count(kinds[i])
    return held


def main(argv: list[str] | None = None) -> None:
    """Writes the folder and prints the number of files of each part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--unseen", type=int, metavar="DRAW", help="whole kinds of shapes validate, by this draw"
    )
    options = parser.parse_args(argv)
    with np.load(options.archive, allow_pickle=False) as data:
        paths = data["path"].tolist()
        clouds = np.concatenate([data["pos"], data["normal"]], axis=-1).astype(np.float32)
    top = np.array([path.split("/")[0] for path in paths])
    own = [path for path in paths if path.split("/")[0] in CLASSES]
    held = None if options.unseen is None else unseen_kinds(own, options.unseen)

    def part(rank: int, index: int) -> str:
        """Of the shape that is the rank-th of its class."""
        validates = rank % 4 == 3 if held is None else paths[index] in held
        return "validation" if validates else "train"

    write_clouds(
        options.out,
        (
            (part(rank, index), name, f"m{index:04d}", clouds[index])
            for name in CLASSES
            for rank, index in enumerate(np.flatnonzero(top == name).tolist())
        ),
    )


if __name__ == "__main__":
    main()
