"""The formats of official data sets, archives, stored arrays, folders of models and checkpoints, for the fuzz."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.datasets.images.cifar import read_batch
from ccnn_geo.datasets.images.mnist import read_idx
from ccnn_geo.datasets.images.pathfinder_files import read_archive, read_metadata
from ccnn_geo.datasets.images.stl10 import read_images
from ccnn_geo.datasets.text.imdb import read_letters
from ccnn_geo.datasets.text.tokens import TokenDataset, load_tokens
from ccnn_geo.experiments.fuzz import fuzz_stored_seeds as seeds
from ccnn_geo.experiments.fuzz.fuzz_format import Format
from ccnn_geo.export.predictor import Predictor
from ccnn_geo.io.files.archive import extract
from ccnn_geo.io.files.mapped import MappedArray
from ccnn_geo.nn.ccnn import CCNN

MOST = 2**20
"""Most bytes that an archive may unpack to."""


def beside(name: str, others: Mapping[str, bytes], read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Reads a damaged file under a name, in a folder with undamaged ones."""

    def read_folder(path: Path) -> Any:
        folder = path.with_suffix(".folder")
        folder.mkdir(exist_ok=True)
        for other, content in others.items():
            (folder / other).write_bytes(content)
        shutil.copyfile(path, folder / name)
        try:
            return read(folder)
        finally:
            shutil.rmtree(folder)

    return read_folder


def _extract(path: Path) -> int:
    """Returns the number of bytes written."""
    folder = path.with_suffix(".folder")
    try:
        extract(path, folder, MOST)
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read_tokens(path: Path) -> list[Tensor]:
    tokens, y, vocabulary = load_tokens(path)
    data = TokenDataset(tokens, y, ("a", "b"), vocabulary, 5)
    return [data[i][0] for i in range(len(data))]


def _read_rows(path: Path) -> np.ndarray:
    rows = MappedArray(path)
    return rows[: len(rows)]


def _model(change: str, only: tuple[str, ...]) -> Format:
    """A file in a folder of ``save_pretrained``, without checksums, which would find all damage."""
    files = seeds.model_folder()
    others = {name: content for name, content in files.items() if name in only}
    others["config.json"] = files["config.json"].replace(b'"sha256"', b'"sha"')
    read = beside(change, others, lambda folder: CCNN.from_pretrained(folder, allow_pickle=True))
    return Format(f".{change}", lambda: [others.get(change, files[change])], read, _is_network)


def _is_network(model: CCNN) -> bool:
    return all(value.is_floating_point() for value in model.parameters())


def _repacked(path: Path) -> Predictor:
    """A checkpoint with a pickle damaged before its checksum was made."""
    content = seeds.repack(seeds.checkpoint(), "data.pkl", path.read_bytes())
    path.write_bytes(content)
    return Predictor.load(path)


def _archive(kind: str) -> Format:
    return Format(".archive", lambda: seeds.archive_files(kind), _extract, lambda size: size <= MOST)


def _stl10(folder: Path) -> tuple[Tensor, Tensor]:
    return read_images(folder / "X.bin", folder / "y.bin", None)


def _in_range(images: Tensor, y: Tensor) -> bool:
    return images.shape[1:] == (3, 96, 96) and len(images) == len(y) and bool(((y >= 0) & (y < 10)).all())


def _pathfinder(found: tuple[np.ndarray, np.ndarray, np.ndarray | None]) -> bool:
    return found[0].shape == (len(found[1]), 8, 8) and set(np.unique(found[1])) <= {0, 1}


STORED: dict[str, Format] = {
    "mnist": Format(
        ".idx",
        lambda: seeds.idx_files(zipped=False),
        lambda p: read_idx(p, (28, 28), None),
        lambda x: x.dtype == torch.uint8 and x.shape[1:] == (28, 28),
    ),
    "mnist gz": Format(
        ".gz",
        lambda: seeds.idx_files(zipped=True),
        lambda p: read_idx(p, (28, 28), None),
        lambda x: x.dtype == torch.uint8 and x.shape[1:] == (28, 28),
    ),
    "mnist y": Format(
        ".idx",
        lambda: seeds.label_files(zipped=False),
        lambda p: read_idx(p, (), None),
        lambda y: y.dtype == torch.uint8 and y.dim() == 1,
    ),
    "cifar": Format(
        ".bin",
        seeds.cifar_files,
        lambda p: read_batch(p, 1, 10, None),
        lambda rows: rows.shape[1:] == (3073,) and rows[:, 0].max() < 10,
    ),
    "stl10": Format(
        ".bin",
        lambda: seeds.stl10_files(labels=False),
        beside("X.bin", {"y.bin": seeds.stl10_files(labels=True)[0]}, _stl10),
        lambda found: _in_range(*found),
    ),
    "stl10 y": Format(
        ".bin",
        lambda: seeds.stl10_files(labels=True),
        beside("y.bin", {"X.bin": seeds.stl10_files(labels=False)[0]}, _stl10),
        lambda found: _in_range(*found),
    ),
    **{
        name: _archive(kind)
        for name, kind in (
            ("tar", ""),
            ("tar gz", "gz"),
            ("tar bz2", "bz2"),
            ("tar xz", "xz"),
            ("zip", "zip"),
        )
    },
    "tokens": Format(
        ".npz", seeds.token_files, _read_tokens, lambda found: all(x.shape[1:] == (5,) for x in found)
    ),
    "rows": Format(".npy", seeds.row_files, _read_rows, lambda rows: rows.dtype.kind != "O"),
    "metadata": Format(
        ".npy", seeds.metadata_files, read_metadata, lambda rows: all(y in (0, 1) for _, y in rows)
    ),
    "pathfinder": Format(".npz", seeds.pathfinder_files, lambda p: read_archive(p, 8), _pathfinder),
    "review": Format(
        ".txt", seeds.review_files, lambda p: read_letters(p, "utf-8"), lambda ids: ids.dtype == np.uint32
    ),
    "config": _model("config.json", ("model.safetensors",)),
    "weights": _model("model.safetensors", ()),
    "pickle": _model("pytorch_model.bin", ()),
    "checkpoint": Format(
        ".ckpt", lambda: [seeds.checkpoint()], Predictor.load, lambda c: _is_network(c.network)
    ),
    "repacked": Format(
        ".ckpt",
        lambda: [seeds.member(seeds.checkpoint(), "data.pkl"), seeds.hostile_pickle()],
        _repacked,
        lambda c: _is_network(c.network),
    ),
}
