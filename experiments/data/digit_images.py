"""Digits as images in a folder for each class.

    python -m ccnn_geo.experiments.data.digit_images MNIST.NPZ OUT [--test]

MNIST.NPZ has ``x_train [n, 28, 28]`` and ``y_train``. OUT gets ``<split>/<digit>/<number>.png``: the first 2,500 digits
of the training set for training, and its last 1,000 for validation. With ``--test`` MNIST.NPZ also has ``x_test`` and
``y_test``, and OUT the first 1,000 digits of the test set.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ccnn_geo._base.extras import needs
from ccnn_geo.experiments.data.clouds import parse, tell
from ccnn_geo.io.files.storage import read_arrays, write_atomic

COUNTS = {"train": 2500, "validation": 1000}
TESTED = 1000


def convert(source: Path, out: Path, counts: Mapping[str, int] = COUNTS) -> Mapping[str, int]:
    """Writes the folders and returns the number of images of each split.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If the archive is damaged, lacks an array, or has fewer digits.
    """
    with needs("data", "digit_images"):
        from PIL import Image
    given, tested = dict(counts), counts.get("test", 0)
    images, labels = _read(source, "train", sum(given.values()) - tested)
    last = range(len(images) - given["validation"], len(images))
    chosen = {"train": (range(given["train"]), images, labels), "validation": (last, images, labels)}
    if tested:
        chosen["test"] = (range(tested), *_read(source, "test", tested))
    for split, (numbers, images, labels) in chosen.items():
        for number in numbers:
            image = Image.fromarray(images[number])
            name = out / split / str(labels[number]) / f"{number:05d}.png"
            write_atomic(name, partial(image.save, format="PNG"))
    return given


def _read(source: Path, part: str, fewest: int) -> tuple[NDArray[Any], NDArray[Any]]:
    arrays = read_arrays(source, (f"x_{part}", f"y_{part}"))
    images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    if len(images) != len(labels) or len(images) < fewest:
        raise ValueError(
            f"{source}: expected as many labels as digits, {fewest} or more, got {len(labels)} and {len(images)}"
        )
    return images, labels


def main(argv: list[str] | None = None) -> None:
    """Writes the folders and prints the number of images of each split."""
    options = parse(__doc__, argv, test="digits of the test set, too")
    counts = {**COUNTS, "test": TESTED} if options.test else COUNTS
    tell(options.out, convert(options.archive, options.out, counts))


if __name__ == "__main__":
    main()
