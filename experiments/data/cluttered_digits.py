"""Images of a digit among scraps of others, with masks that show the pixels of the digit and its class.

    python -m ccnn_geo.experiments.data.cluttered_digits MNIST.NPZ OUT

MNIST.NPZ has ``x_train [n, 28, 28]``, ``y_train [n]``, ``x_test`` and ``y_test``. OUT gets
``<split>/images/<number>.png`` of 32 x 32 pixels, ``<split>/masks/<number>.png`` and ``classes.txt``: 0 is the
background with its scraps, 1 to 10 are the digits zero to nine, 255 the edge of the pen, which is neither. Validation
images come from the last digits of the training set, test images from the test set.

Source: the cluttered digits of Mnih et al., "Recurrent models of visual attention", 2014.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from operator import methodcaller
from pathlib import Path

import numpy as np

from ccnn_geo._base.extras import needs
from ccnn_geo.datasets.images.mask_classes import NAMES
from ccnn_geo.experiments.data.clouds import parse, tell
from ccnn_geo.experiments.data.fsdd_folder import WORDS
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.io.image import write_mask

SIZE, SCRAP, SCRAPS = 32, 8, 4
"""Pixels of an image and of a scrap, and scraps per image."""

COUNTS = {"train": 2000, "validation": 400, "test": 400}

EDGE, PEN = 32, 128
"""Least grey of the edge of the pen, and of the digit."""


def draw(digits: np.ndarray, label: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws an image and its mask: the first digit as a whole, scraps of the others.

    Shapes:
        ``digits [1 + SCRAPS, 28, 28]`` bytes -> ``[SIZE, SIZE]`` bytes, twice
    """
    image, mask = np.zeros((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    for digit in digits[1:]:
        (y, x), (to_y, to_x) = rng.integers(4, 14, 2), rng.integers(SIZE - SCRAP + 1, size=2)
        part = image[to_y : to_y + SCRAP, to_x : to_x + SCRAP]
        np.maximum(part, digit[y : y + SCRAP, x : x + SCRAP], out=part)
    y, x = rng.integers(SIZE - 27, size=2)
    inside = slice(y, y + 28), slice(x, x + 28)
    image[inside] = np.maximum(image[inside], digits[0])
    mask[inside] = np.where(digits[0] >= PEN, label + 1, np.where(digits[0] >= EDGE, 255, 0))
    return image, mask


def convert(source: Path, out: Path, counts: Mapping[str, int] = COUNTS) -> Mapping[str, int]:
    """Writes the folders and returns the number of images of each split.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If the archive is damaged, or lacks an array.
    """
    with needs("data", "cluttered_digits"):
        from PIL import Image
    arrays = read_arrays(source, ("x_train", "y_train", "x_test", "y_test"))
    rng = np.random.default_rng(0)
    held_out = len(arrays["y_train"]) * 5 // 6
    parts = {
        "train": (arrays["x_train"][:held_out], arrays["y_train"][:held_out]),
        "validation": (arrays["x_train"][held_out:], arrays["y_train"][held_out:]),
        "test": (arrays["x_test"], arrays["y_test"]),
    }
    for split, (x, y) in parts.items():
        for number in range(counts[split]):
            chosen = rng.choice(len(x), 1 + SCRAPS, replace=False)
            image, mask = draw(x[chosen], int(y[chosen[0]]), rng)
            name = f"{number:04d}.png"
            save = partial(Image.fromarray(image).save, format="PNG")
            write_atomic(out / split / "images" / name, save)
            write_mask(out / split / "masks" / name, mask)
    names = "\n".join(["background", *WORDS]) + "\n"
    write_atomic(out / NAMES, methodcaller("write", names.encode()))
    return dict(counts)


def main(argv: list[str] | None = None) -> None:
    """Writes the folders and prints the number of images of each split."""
    options = parse(__doc__, argv)
    tell(options.out, convert(options.archive, options.out))


if __name__ == "__main__":
    main()
