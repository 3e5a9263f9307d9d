"""Images of rotated digits with a table of targets, the angle of each.

    python -m ccnn_geo.experiments.data.turned_digits MNIST.NPZ OUT

MNIST.NPZ has ``x_train [n, 28, 28]`` and ``x_test``. OUT gets ``<split>/<number>.png`` and ``<split>/targets.csv`` with
the columns ``file`` and ``angle [degree]``, counterclockwise, evenly from -60 to 60. Validation images come from the
last digits of the training set, test images from the test set.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from operator import methodcaller
from pathlib import Path

import numpy as np

from ccnn_geo._base.extras import needs
from ccnn_geo.experiments.data.clouds import parse, tell
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.io.target_table import TABLE

COUNTS = {"train": 3000, "validation": 500, "test": 500}
LARGEST = 60.0
"""Degrees."""


def convert(source: Path, out: Path, counts: Mapping[str, int] = COUNTS) -> Mapping[str, int]:
    """Writes the folders and returns the number of images of each split.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If the archive is damaged, or lacks an array.
    """
    with needs("data", "turned_digits"):
        from PIL import Image
    arrays = read_arrays(source, ("x_train", "x_test"))
    rng = np.random.default_rng(0)
    parts = {
        "train": arrays["x_train"],
        "validation": arrays["x_train"][::-1],
        "test": arrays["x_test"],
    }
    for split, digits in parts.items():
        rows = ["file,angle [degree]\n"]
        for number in range(counts[split]):
            angle = round(float(rng.uniform(-LARGEST, LARGEST)), 2)
            image = Image.fromarray(digits[number]).rotate(angle, Image.Resampling.BILINEAR)
            write_atomic(out / split / f"{number:04d}.png", partial(image.save, format="PNG"))
            rows.append(f"{number:04d}.png,{angle}\n")
        write_atomic(out / split / TABLE, methodcaller("write", "".join(rows).encode()))
    return dict(counts)


def main(argv: list[str] | None = None) -> None:
    """Writes the folders and prints the number of images of each split."""
    options = parse(__doc__, argv)
    tell(options.out, convert(options.archive, options.out))


if __name__ == "__main__":
    main()
