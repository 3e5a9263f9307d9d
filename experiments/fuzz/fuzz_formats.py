"""The formats that the package reads: valid files, their readers, and checks of the results."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from ccnn_geo.datasets.series.physionet_records import read_record
from ccnn_geo.datasets.text.listops import read_tsv
from ccnn_geo.experiments.fuzz import fuzz_seeds as seeds
from ccnn_geo.experiments.fuzz import fuzz_signal_seeds as signals
from ccnn_geo.experiments.fuzz.fuzz_format import Format
from ccnn_geo.experiments.fuzz.fuzz_label_formats import LABELLED
from ccnn_geo.experiments.fuzz.fuzz_stored_formats import STORED
from ccnn_geo.io import ShapeError, read_shape
from ccnn_geo.io.cloud_file import read_cloud
from ccnn_geo.io.csv_table import read_table
from ccnn_geo.io.image import read_image
from ccnn_geo.io.scans.frames import read_frame
from ccnn_geo.io.target_table import read_targets
from ccnn_geo.io.wav import read_wav


def _finite(*arrays: np.ndarray) -> bool:
    return all(np.isfinite(a).all() for a in arrays)


def _sound_shape(shape: Any) -> bool:
    v, f = shape.vertices, shape.faces
    in_range = f is None or (f.ndim == 2 and f.shape[1] == 3 and 0 <= f.min() <= f.max() < len(v))
    return v.dtype == np.float64 and v.shape[1:] == (3,) and len(v) > 0 and _finite(v) and in_range


def _sound_frame(frame: Any) -> bool:
    columns = [*frame.fields.values(), *([] if frame.labels is None else [frame.labels])]
    return all(c.shape == (len(frame.xyz),) for c in columns) and _finite(frame.xyz, *columns)


def _sound_cloud(cloud: Any) -> bool:
    same = all(column.shape == (len(cloud.pos),) for column in cloud.fields.values())
    return same and len(cloud.pos) > 0 and _finite(cloud.pos)


def _sound_table(table: Any) -> bool:
    same = len(table.time) == len(table.variable) == len(table.value)
    return same and _finite(table.time) and table.variable.max() < len(table.variables)


def _shape(suffix: str, files: Callable[[], list[bytes]]) -> Format:
    return Format(suffix, files, read_shape, _sound_shape, ShapeError)


def _image(suffix: str, kind: str, megabytes: int = 512) -> Format:
    sound = lambda pixels: pixels.dtype == np.uint8 and pixels.shape[0] == 3  # noqa: E731
    return Format(suffix, lambda: signals.image_files(kind), read_image, sound, megabytes=megabytes)


def _frame(suffix: str, files: Callable[[], list[bytes]]) -> Format:
    return Format(suffix, files, read_frame, _sound_frame)


FORMATS: dict[str, Format] = {
    "off": _shape(".off", seeds.off_files),
    "obj": _shape(".obj", seeds.obj_files),
    "ply text": _shape(".ply", lambda: seeds.ply_files(text=True)),
    "ply binary": _shape(".ply", lambda: seeds.ply_files(text=False)),
    "stl text": _shape(".stl", lambda: seeds.stl_files(text=True)),
    "stl binary": _shape(".stl", lambda: seeds.stl_files(text=False)),
    "glb": _shape(".glb", seeds.glb_files),
    "npy": _shape(".npy", lambda: seeds.array_files(archive=False)),
    "npz": _shape(".npz", lambda: seeds.array_files(archive=True)),
    "xyz": _shape(".xyz", seeds.xyz_files),
    "pcd": _shape(".pcd", seeds.pcd_files),
    "png": _image(".png", "PNG"),
    "jpeg": _image(".jpg", "JPEG"),
    "gif": _image(".gif", "GIF"),
    "bmp": _image(".bmp", "BMP"),
    "webp": _image(".webp", "WEBP", megabytes=2048),
    "tiff": _image(".tif", "TIFF", megabytes=2048),
    "ppm": _image(".ppm", "PPM"),
    "wav": Format(".wav", signals.wav_files, read_wav, lambda got: got[0].shape[1] > 0 and _finite(got[0])),
    "csv": Format(".csv", signals.csv_files, read_table, _sound_table),
    "targets": Format(
        ".csv",
        signals.target_files,
        read_targets,
        lambda got: got.values.shape == (len(got.files), len(got.names)),
    ),
    "cloud": Format(".npz", signals.cloud_files, read_cloud, _sound_cloud),
    **({"las": _frame(".las", signals.las_files)} if find_spec("laspy") else {}),
    **({"laz": _frame(".laz", signals.laz_files)} if find_spec("laspy") and find_spec("lazrs") else {}),
    "kitti": _frame(".bin", signals.bin_files),
    "pcd scan": _frame(".pcd", seeds.pcd_files),
    "ply scan": _frame(".ply", lambda: seeds.ply_files(text=False) + seeds.ply_files(text=True)),
    "physionet": Format(
        ".txt",
        signals.record_files,
        lambda p: read_record(p, 0),
        lambda r: _finite(r.time) and r.values.ndim == 2,
    ),
    "listops": Format(".tsv", signals.tsv_files, read_tsv, lambda got: len(got[0]) == len(got[1])),
    **STORED,
    **LABELLED,
}
