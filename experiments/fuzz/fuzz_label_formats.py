"""Formats with a label for each point, pixel or time, and formats of points in arrays and tables, for the fuzz."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo._base.extras import needs
from ccnn_geo.experiments.fuzz.fuzz_format import Format
from ccnn_geo.experiments.fuzz.fuzz_seeds import CORNERS, off_files
from ccnn_geo.experiments.fuzz.fuzz_stored_formats import beside
from ccnn_geo.io import cloud_table
from ccnn_geo.io.cloud_table import CloudTable
from ccnn_geo.io.csv_table import Table, read_table
from ccnn_geo.io.image import read_mask
from ccnn_geo.io.scans.chunks import read_chunks
from ccnn_geo.io.scans.frames import Frame, read_frame
from ccnn_geo.io.shapes.part_labels import PartLabels, read_labelled_shape
from ccnn_geo.io.shapes.shape import Shape, ShapeError

NAMED = np.dtype(
    [("x", "<f4"), ("y", ">f8"), ("z", "<f4"), ("intensity", "<i8"), ("red", "<u2"), ("label", "u1")]
)


def _saved(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def mask_files() -> list[bytes]:
    """Numbers in a palette, in grey, and of one bit."""
    with needs("data", "mask_files"):
        from PIL import Image
    numbers = np.arange(30, dtype=np.uint8).reshape(6, 5) % 4
    grey = Image.fromarray(numbers)
    palette = grey.copy()
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    kinds = ((palette, "PNG"), (grey, "PNG"), (grey.convert("1"), "PNG"), (palette, "GIF"), (grey, "BMP"))
    return [_saved(partial(image.save, format=kind)) for image, kind in kinds]


def scan_files(named: bool) -> list[bytes]:
    """Rows of named columns, or numbers in row and column order."""
    rows = np.zeros(4, NAMED)
    for axis, values in zip("xyz", CORNERS.T, strict=True):
        rows[axis] = values
    rows["intensity"], rows["red"], rows["label"] = (7, 0, 300, 2), (9, 255, 0, 1), (1, 0, 2, 1)
    table = np.column_stack([CORNERS, [0.1, 0.5, 0, 1]])
    arrays = (
        [rows] if named else [table, np.asfortranarray(table.astype("<f4")), (10 * table).astype(np.int64)]
    )
    return [_saved(partial(np.save, arr=array)) for array in arrays]


def table_files() -> list[bytes]:
    """Two samples with splits and a unit, and molecules with names in a dictionary, compressed and not."""
    with needs("parquet", "table_files"):
        import pyarrow
        from pyarrow import parquet
    axes = dict(zip(("x", "y", "z"), CORNERS.T, strict=True))
    plain = {
        "sample": ["a", "a", "b", "b"],
        "split": ["train"] * 2 + ["test"] * 2,
        **axes,
        "energy [eV]": [1, 1, 2, 2],
    }
    atoms = {"sample": [3, 3, 3, 4], "pos_x": CORNERS[:, 0], "pos_y": CORNERS[:, 1], "z": [8, 1, None, 6]}
    return [
        _saved(partial(parquet.write_table, pyarrow.table(rows), compression=how))
        for rows, how in ((plain, "snappy"), (plain, "none"), (atoms, "zstd"))
    ]


def named_part_files() -> list[bytes]:
    """Parts of the faces of a tetrahedron, a face without a part, and a name with blanks."""
    return [b"leg\n1 2\nback of it\n4\nnone\n\n", b"all # of it\r\n1 2 3 4\r\n"]


def numbered_part_files() -> list[bytes]:
    """A number for each face of the tetrahedron."""
    return [b"0\n1\n-1\n2\n", b"1 1 2 2"]


def labelled_files() -> list[bytes]:
    """Clouds in archives with labels."""
    label = np.array([0, 3, -1, 3])
    arrays: tuple[dict[str, Any], ...] = (
        {"pos": CORNERS, "label": label},
        {"pos": CORNERS.astype("<f4"), "class": label.astype("<f8"), "mass": np.ones((4, 2))},
    )
    return [_saved(partial(np.savez_compressed, **some)) for some in arrays]


def time_label_files() -> list[bytes]:
    """A class for each time, words and whole numbers with decimals."""
    return [b"time,state,wind\n0,up,3\n1,,4\n2,down,5\n", b"time;wind;state\n0;3,5;1,0\n2;;-2\n"]


def _read_table(path: Path) -> CloudTable:
    cloud_table._read.cache_clear()  # damaged files follow each other within a tick of the file system's clock
    return cloud_table.read_cloud_table(path)


def _sound_table(table: CloudTable) -> bool:
    points = len(table.pos)
    ends = len(table.offset) == len(table.names) + 1 and table.offset[0] == 0 and table.offset[-1] == points
    same = all(values.shape == (points,) for values in table.fields.values())
    return ends and same and bool((np.diff(table.offset) > 0).all() and np.isfinite(table.pos).all())


def _read_scan(path: Path) -> tuple[Frame, list[Frame]]:
    return read_frame(path), [part.frame for part in read_chunks(path, at_once=3)]


def _sound_scan(found: tuple[Frame, list[Frame]]) -> bool:
    """Whether reading at once and in parts gives the same result."""
    whole, parts = found
    fields = {name: np.concatenate([part.fields[name] for part in parts]) for name in whole.fields}
    same = all(np.array_equal(fields[name], values, equal_nan=True) for name, values in whole.fields.items())
    return same and np.array_equal(np.concatenate([part.xyz for part in parts]), whole.xyz)


def _sound_parts(found: tuple[Shape, PartLabels]) -> bool:
    shape, parts = found
    return parts.index.shape == (shape.num_parts,) and -1 <= parts.index.min() <= parts.index.max() < len(
        parts.names
    )


def _read_parts(folder: Path) -> tuple[Shape, PartLabels]:
    return read_labelled_shape(folder / "a.off")


def _sound_times(table: Table) -> bool:
    lines = table.lines
    return lines is not None and (lines.labels is None or len(lines.labels) == len(lines.time))


_MESH = {"a.off": off_files()[0]}
LABELLED: dict[str, Format] = {
    "mask": Format(".png", mask_files, read_mask, lambda found: found.dtype == np.uint8 and found.ndim == 2),
    "npy scan": Format(".npy", lambda: scan_files(named=False), _read_scan, _sound_scan),
    "npy named": Format(".npy", lambda: scan_files(named=True), _read_scan, _sound_scan),
    "part names": Format(
        ".txt", named_part_files, beside("a_labels.txt", _MESH, _read_parts), _sound_parts, ShapeError
    ),
    "part seg": Format(
        ".numbers", numbered_part_files, beside("a.seg", _MESH, _read_parts), _sound_parts, ShapeError
    ),
    "part npz": Format(".npz", labelled_files, read_labelled_shape, _sound_parts),
    "times": Format(".csv", time_label_files, lambda path: read_table(path, label="state"), _sound_times),
    **(
        {"parquet": Format(".parquet", table_files, _read_table, _sound_table)}
        if find_spec("pyarrow")
        else {}
    ),
}
