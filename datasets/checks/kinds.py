"""The kinds of files that a user's own data may be: what is read of each, and the configurations that train on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.datasets.clouds.cloud_files import CLOUDS
from ccnn_geo.datasets.images.image_files import IMAGES
from ccnn_geo.datasets.images.image_store import read_masked
from ccnn_geo.datasets.scenes.lidar_files import SCANS
from ccnn_geo.datasets.series.csv_series import SERIES
from ccnn_geo.datasets.series.time_labels import labels_of_lines, point_labels
from ccnn_geo.datasets.shapes.part_folder import PARTS
from ccnn_geo.datasets.shapes.shape_folder import SHAPES
from ccnn_geo.io.cloud_file import read_cloud
from ccnn_geo.io.csv_table import Table, read_table
from ccnn_geo.io.files.sample_files import FileKind
from ccnn_geo.io.image import read_image, read_mask
from ccnn_geo.io.recording import RECORDINGS, read_recording
from ccnn_geo.io.scans.frames import read_frame
from ccnn_geo.io.shapes.part_labels import labels_beside, read_labelled_shape
from ccnn_geo.io.shapes.read import read_shape
from ccnn_geo.io.shapes.shape import Shape
from ccnn_geo.io.target_table import split_unit
from ccnn_geo.transforms.pipelines.recordings import check_scale

IN_MASKS = "numbers in masks, in pixels"
"""Property of an image with a mask."""

SURFACE, GRID = "surface", "cells of a voxel grid"
"""Property of a shape, and its value for an occupancy grid."""

LABELS = "labels, in lines"
"""Property of a table with a column of labels; an empty label means none."""

POINT_LABELS = "labels, in points"
"""Property of a scan: numbers of points by label."""

Seen = dict[str, Any]
"""Properties of a file by name: numbers, ranges, words, lists of words, and counts by word."""


@dataclass(frozen=True)
class Checked:
    """A kind of files.

    Args:
        files: The files of this kind.
        dataset: The data set that reads them.
        configs: The packaged configurations that train on them, by task.
        look: Returns the properties of a file, given its path and options of the data set; raises the errors of the
            data set.
        options: Options of the data set that ``look`` takes.
        labelled: Whether files have a class or targets each; otherwise their points have a class.
    """

    files: FileKind
    dataset: str
    configs: Mapping[str, str]
    look: Callable[..., Seen]
    options: tuple[str, ...] = ()
    labelled: bool = True


def _shape(path: Path, columns: list[str] | None = None) -> Seen:
    return _seen(path, read_shape(path, columns))


def _seen(path: Path, shape: Shape) -> Seen:
    seen: Seen = {
        "format": path.suffix.lower(),
        "points": len(shape.vertices),
        "longest edge, in the file's unit": float(np.ptp(shape.vertices, axis=0).max()),
    }
    if shape.faces is not None:
        return {**seen, SURFACE: "mesh", "triangles": len(shape.faces)}
    if shape.cell is not None:
        return {**seen, SURFACE: GRID}
    return {**seen, SURFACE: "cloud with normals" if shape.normals is not None else "cloud without normals"}


def _part(path: Path, columns: list[str] | None = None, label: str | None = None, category: str = "") -> Seen:
    """Adds labels, in a row for each category or in one row without categories."""
    shape, parts = read_labelled_shape(path, columns, label)
    known = Counter(parts.names[i] if i >= 0 else "none" for i in parts.index.tolist())
    where = labels_beside(path)
    told = "in the file" if where is None else f"in {where.name.removeprefix(path.stem)}"
    head = f"labels of {category}" if category else "labels"
    elements = "points" if shape.faces is None else "faces"
    return {**_seen(path, shape), "labels are": told, f"{head}, in {elements}": dict(known)}


def _image(path: Path, mask: Path | None = None) -> Seen:
    shape = read_image(path).shape[1:] if mask is None else read_masked(path, mask, None, 3).shape[1:]
    seen: Seen = {"format": path.suffix.lower(), "pixels, height x width": " x ".join(map(str, shape))}
    if mask is not None:
        numbers, counts = np.unique(read_mask(mask), return_counts=True)
        seen[IN_MASKS] = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    return seen


def _recording(path: Path) -> Seen:
    wave, rate = read_recording(path)
    check_scale(wave, str(path))
    return {
        "samples per second": f"{rate}",
        "channels": f"{len(wave)}",
        "samples": wave.shape[1],
        "seconds": wave.shape[1] / rate,
    }


def _series(path: Path, **options: Any) -> Seen:
    table = read_table(path, **options)
    return {
        "times": len(np.unique(table.time)),
        "time is": "dates" if table.dates else "numbers",
        "length, in seconds" if table.dates else "length, in the unit of time": float(np.ptp(table.time)),
        "variables": list(table.variables),
        **_labels(path, table, options.get("label")),
    }


def _labels(path: Path, table: Table, column: str | None) -> Seen:
    """Counts the labels in a table, at times with an observation."""
    if column is None:
        return {}
    labels = Counter(labels_of_lines(path, table, column))
    try:
        point_labels(table, len(np.unique(table.time)), sorted(labels))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return {LABELS: dict(labels)}


def _scene(path: Path, **options: Any) -> Seen:
    frame = read_frame(path, **options)
    seen: Seen = {
        "format": path.suffix.lower(),
        "points": len(frame.xyz),
        "longest edge, in the file's unit": float(np.ptp(frame.xyz, axis=0).max()),
        "features": list(frame.fields),
    }
    if frame.labels is not None:
        codes, counts = np.unique(frame.labels, return_counts=True)
        seen[POINT_LABELS] = {int(c): int(n) for c, n in zip(codes, counts, strict=True)}
    return seen


def _cloud(path: Path, point_targets: Sequence[str] = ()) -> Seen:
    cloud = read_cloud(path)
    heads = {split_unit(head)[0]: head for head in point_targets}
    cloud.check_columns(path, heads)
    edge = float(np.ptp(cloud.pos, axis=0).max())
    extension = path.suffix.lower() if path.is_file() else path.parent.suffix.lower()
    seen: Seen = {"format": extension, "points": len(cloud.pos)}
    seen |= {"longest edge, in the file's unit": edge, "columns": list(cloud.fields)}
    for name, head in heads.items():
        known = cloud.fields[name][~np.isnan(cloud.fields[name])]
        if len(known):
            seen[f"target {head}"] = float(known.min()), float(known.max())
    return seen


KINDS: Mapping[str, Checked] = {
    "shapes": Checked(SHAPES, "folder", {"classification": "shapes/ccnn_4_32"}, _shape, ("columns",)),
    "parts": Checked(PARTS, "parts", {"segmentation": "parts/ccnn_4_32"}, _part, ("columns", "label")),
    "images": Checked(
        IMAGES,
        "image_folder",
        {
            "classification": "images/ccnn_4_32",
            "segmentation": "images/ccnn_4_32_masks",
            "regression": "images/ccnn_4_32_targets",
        },
        _image,
    ),
    "recordings": Checked(
        RECORDINGS,
        "wav_folder",
        {"classification": "recordings/ccnn_4_32", "regression": "recordings/ccnn_4_32_targets"},
        _recording,
    ),
    "series": Checked(
        SERIES,
        "csv_series",
        {
            "classification": "series/ccnn_4_16",
            "segmentation": "series/ccnn_4_16_labels",
            "regression": "series/ccnn_4_16_targets",
        },
        _series,
        ("separator", "decimal", "time", "label"),
    ),
    "scenes": Checked(
        SCANS,
        "lidar",
        {"segmentation": "scenes/ccnn_4_32"},
        _scene,
        ("columns", "column_type", "label"),
        labelled=False,
    ),
    "clouds": Checked(CLOUDS, "clouds", {"regression": "clouds/ccnn_4_32"}, _cloud, ("point_targets",)),
}
"""The kinds by the names that ``--kind`` takes."""
