"""Files of Pathfinder images: the release, archives, and the stored form. Pickles are never opened."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ccnn_geo._base.extras import needs
from ccnn_geo.io import ShapeError
from ccnn_geo.io.files.progress import progress
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.io.shapes.arrays import map_array, parse_array

_FOLDER, _IMAGE = re.compile(r"imgs/\d+/?"), re.compile(r"sample_\d+\.png")


def read_metadata(path: Path) -> list[tuple[str, int]]:
    """Reads the images and labels in a metadata file of the release: lines ``imgs/0 sample_0.png 0 1 ...``.

    The release's files end in ``.npy`` but are text; the generator that made them writes arrays of strings. Both
    are read. Pickles are not, because opening one can run any program.

    Raises:
        ValueError: For a pickle, or for names and labels in another form.
    """
    raw = path.read_bytes()
    if raw.startswith(b"\x93NUMPY"):
        try:
            table = parse_array(path, raw)
        except ValueError as error:
            raise ValueError(
                f"{path}: an array of Python objects, or damaged ({error}). Opening it would run it; if you made "
                f"it yourself, save it as text: numpy.savetxt(file, numpy.load(file, allow_pickle=True), fmt='%s')"
            ) from None
        rows = [[str(cell) for cell in row] for row in np.atleast_2d(table)]
    elif raw.startswith(b"\x80"):
        raise ValueError(f"{path}: a pickle, which runs code when it is read; expected lines of text")
    else:
        rows = [line.split() for line in raw.decode("ascii", "replace").splitlines() if line.strip()]
    samples = []
    for number, row in enumerate(rows, 1):
        fits = (
            len(row) > 3 and _FOLDER.fullmatch(row[0]) and _IMAGE.fullmatch(row[1]) and row[3] in ("0", "1")
        )
        if not fits:
            raise ValueError(
                f"{path}, line {number}: expected 'imgs/<n> sample_<m>.png <m> <0 or 1> ...', got "
                f"{' '.join(row)[:80]!r}"
            )
        samples.append((f"{row[0].rstrip('/')}/{row[1]}", int(row[3])))
    if not samples:
        raise ValueError(
            f"{path}: lists no images, expected lines 'imgs/<n> sample_<m>.png <m> <0 or 1> ...'"
        )
    return samples


def list_samples(folder: Path, count: int | None = None) -> list[tuple[str, int]]:
    """Lists images and labels of ``metadata/*.npy``, in the order of the files' numbers.

    Args:
        folder: ``pathfinder32/curv_contour_length_14``.
        count: Number of images there must be; None accepts 10 or more.

    Raises:
        FileNotFoundError: If there are no metadata.
        ValueError: For another number of images, or metadata that are not as described.
    """
    files = [path for path in (folder / "metadata").glob("*.npy") if path.stem.isdigit()]
    if not files:
        raise FileNotFoundError(
            f"no {folder / 'metadata'}/<n>.npy; place the folders metadata and imgs there"
        )
    samples = [row for path in sorted(files, key=lambda path: int(path.stem)) for row in read_metadata(path)]
    if len(samples) != count if count is not None else len(samples) < 10:
        raise ValueError(
            f"{folder}: the metadata list {len(samples)} images, expected {count or '10 or more'}; remove {folder} to "
            f"unpack it again, or accept a part of it with check_counts=False"
        )
    return samples


def read_pngs(paths: Sequence[Path], size: int) -> np.ndarray:
    """Reads png files as grey images ``[N, size, size]`` uint8.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If a file is missing, damaged or of another size; names it.
    """
    with needs("data", "read_pngs"):
        from PIL import Image

    images = np.empty((len(paths), size, size), np.uint8)
    for image, path in zip(images, paths, strict=True):
        try:
            with Image.open(path, formats=["PNG"]) as png:
                if png.size == (size, size):  # checked before decoding
                    image[:] = np.asarray(png.convert("L"))
                    continue
                found = f"an image of {png.size[1]} x {png.size[0]}"
        except (OSError, SyntaxError, ValueError):
            found = "a damaged one" if path.is_file() else "none"
        raise ValueError(f"{path}: expected a png image of {size} x {size}, got {found}")
    return images


def read_archive(path: Path, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Reads images from an array file.

    The file is an ``.npz`` with ``x [N, size, size]`` uint8 and ``y [N]``, or ``<name>-images.npy`` with
    ``<name>-labels.npy`` beside it, as written by :func:`store_images`. An archive may also have ``split [N]``: 0
    for training, 1 for validation, 2 for testing.

    Returns:
        Images, labels, and the split of each image if the file has it.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not as described.
    """
    if not path.exists():
        raise FileNotFoundError(f"no {path}")
    if path.suffix == ".npy":
        return *load_images(path.with_name(path.name.removesuffix("-images.npy")), size), None
    try:
        with zipfile.ZipFile(path) as archive:
            names = [
                name for name in ("x", "y", "split") if name != "split" or "split.npy" in archive.namelist()
            ]
        x, y, *more = read_arrays(path, names).values()
        split = more[0] if more else None
    except Exception as error:  # damaged archives raise anything
        raise ValueError(f"{path}: expected an archive of x and y, a whole .npz of numbers") from error
    _check(path, x, y, size)
    if split is not None and (split.shape != y.shape or not np.isin(split, (0, 1, 2)).all()):
        raise ValueError(f"{path}: expected split [{len(y)}] of 0, 1 and 2, got {list(split.shape)}")
    return x, y, split


def _check(path: Path, x: np.ndarray, y: np.ndarray, size: int) -> None:
    if x.dtype != np.uint8 or x.shape[1:] != (size, size) or y.shape != x.shape[:1]:
        raise ValueError(
            f"{path}: expected images [N, {size}, {size}] uint8 and labels [N], got {list(x.shape)} {x.dtype} and "
            f"{list(y.shape)}"
        )
    if len(y) < 10 or not np.isin(y, (0, 1)).all():
        raise ValueError(f"{path}: expected 10 labels or more of 0 and 1, got {len(y)} of {np.unique(y)[:5]}")


def labels_path(base: Path) -> Path:
    """The file that is written last: if it exists, the images are complete."""
    return base.with_name(f"{base.name}-labels.npy")


def store_images(
    base: Path, images_and_labels: Iterable[tuple[np.ndarray, np.ndarray]], num: int, size: int
) -> None:
    """Writes batches of images one after another to ``<base>-images.npy``, then ``<base>-labels.npy``."""
    labels = []
    path = base.with_name(f"{base.name}-images.npy")
    for stale in path.parent.glob(f".{path.name}.*.tmp"):  # left by a process that was killed
        stale.unlink(missing_ok=True)

    def write(file: BinaryIO) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (num, size, size)}
        np.lib.format.write_array_header_1_0(file, header)
        with progress(total=num, title=base.name) as bar:
            for images, y in images_and_labels:
                file.write(images.tobytes())
                labels.append(y)
                bar.update(len(y))

    write_atomic(path, write)
    write_atomic(labels_path(base), lambda file: np.save(file, np.concatenate(labels).astype(np.uint8)))


def load_images(base: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Opens the files of :func:`store_images`: images, mapped, and labels.

    Raises:
        ValueError: If a file is damaged.
    """
    path = base.with_name(f"{base.name}-images.npy")
    try:
        images, y = (
            map_array(path),
            parse_array(labels_path(base), bytearray(labels_path(base).read_bytes())),
        )
    except ShapeError as error:
        raise ValueError(
            f"{path}: damaged ({error}); remove it and {labels_path(base).name} to have them made again"
        ) from error
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(
            f"{path}: damaged, expected a whole array; remove it and {labels_path(base).name} to have them made again"
        ) from error
    _check(path, images, y, size)
    return images, y
