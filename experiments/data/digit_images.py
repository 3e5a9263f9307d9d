"""Digits as images in a folder for each class.

    python -m ccnn_geo.experiments.data.digit_images MNIST.NPZ OUT

MNIST.NPZ has ``x_train [n, 28, 28]`` and ``y_train``. OUT gets ``<split>/<digit>/<number>.png``: the first 2,500 digits
of the training set for training, and its last 1,000 for validation. The test set is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ccnn_geo._base.extras import needs
from ccnn_geo.experiments.data.clouds import parse, tell
from ccnn_geo.io.files.storage import read_arrays, write_atomic

COUNTS = {"train": 2500, "validation": 1000}


def convert(source: Path, out: Path, counts: Mapping[str, int] = COUNTS) -> Mapping[str, int]:
    """Writes the folders and returns the number of images of each split.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If the archive is damaged, lacks an array, or has fewer digits.
    """
    with needs("data", "digit_images"):
        from PIL import Image
    arrays = read_arrays(source, ("x_train", "y_train"))
    images, labels = arrays["x_train"], arrays["y_train"]
    if len(images) != len(labels) or len(images) < sum(counts.values()):
        raise ValueError(
            f"{source}: expected as many labels as digits, {sum(counts.values())} or more, "
            f"got {len(labels)} and {len(images)}"
        )
    numbers = {
        "train": range(counts["train"]),
        "validation": range(len(images) - counts["validation"], len(images)),
    }
    for split, chosen in numbers.items():
        for number in chosen:
            image = Image.fromarray(images[number])
            name = out / split / str(labels[number]) / f"{number:05d}.png"
            write_atomic(name, partial(image.save, format="PNG"))
    return dict(counts)


def main(argv: list[str] | None = None) -> None:
    """Writes the folders and prints the number of images of each split."""
    options = parse(__doc__, argv)
    tell(options.out, convert(options.archive, options.out))


if __name__ == "__main__":
    main()
