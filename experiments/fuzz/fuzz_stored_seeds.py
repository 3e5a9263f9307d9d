"""Small valid files of data sets, archives, folders of models and checkpoints, for damaging: see ``fuzz_readers``."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ccnn_geo.datasets.text.tokens import Ragged, Vocabulary, save_tokens
from ccnn_geo.nn.build import build_network
from ccnn_geo.nn.ccnn import CCNN

BYTES = np.arange(256, dtype=np.uint8)
ARGUMENTS: dict[str, Any] = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 4}


def idx_files(zipped: bool) -> list[bytes]:
    """Two images of MNIST."""
    content = struct.pack(">4I", 0x803, 2, 28, 28) + np.resize(BYTES, 2 * 28 * 28).tobytes()
    return [gzip.compress(content, mtime=0) if zipped else content]


def label_files(zipped: bool) -> list[bytes]:
    """Labels of MNIST."""
    content = struct.pack(">2I", 0x801, 9) + bytes(range(9))
    return [gzip.compress(content, mtime=0) if zipped else content]


def cifar_files() -> list[bytes]:
    """Two images of CIFAR-10."""
    return [b"".join(bytes([label]) + np.resize(BYTES, 3072).tobytes() for label in (3, 9))]


def stl10_files(labels: bool) -> list[bytes]:
    """Two images of STL-10, or their labels."""
    return [b"\x0a\x01" if labels else np.resize(BYTES, 2 * 3 * 96 * 96).tobytes()]


def archive_files(kind: str) -> list[bytes]:
    """A folder of two files, as ``tar``, ``tar.gz`` and so on, or ``zip``."""
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("a/b.txt", "a/c.txt"):
                archive.writestr(zipfile.ZipInfo(name), b"content " * 9)
        return [file.getvalue()]
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in ("a/b.txt", "a/" + "long" * 40):  # longer than the header allows
            info = tarfile.TarInfo(name)
            info.size = 72
            tar.addfile(info, io.BytesIO(b"content " * 9))
    pack: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
    }
    return [pack.get(kind, bytes)(file.getvalue())]


def token_files() -> list[bytes]:
    """Two sequences, their labels and their vocabulary."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokens.npz"
        rows = [np.array([3, 4, 3], np.uint8), np.array([4], np.uint8)]
        save_tokens(path, Ragged.of(rows, np.dtype(np.uint8)), np.array([0, 1]), Vocabulary(("a", "b")))
        return [path.read_bytes()]


def row_files() -> list[bytes]:
    """Stored rows of sound, and of pixels."""
    files = []
    for rows in (np.arange(20, dtype=np.int16).reshape(4, 5), np.resize(BYTES, (2, 3, 4, 5))):
        file = io.BytesIO()
        np.save(file, rows)
        files.append(file.getvalue())
    return files


def metadata_files() -> list[bytes]:
    """Lists of the images of Pathfinder: text, and words in an array."""
    rows = [f"imgs/0 sample_{i}.png {i} {i % 2} 1.8 6 2.0 5 1.5 0 20".split() for i in range(10)]
    file = io.BytesIO()
    np.save(file, np.array(rows))
    return ["\n".join(map(" ".join, rows)).encode(), file.getvalue()]


def pathfinder_files() -> list[bytes]:
    """Images of Pathfinder, labels and splits."""
    file = io.BytesIO()
    np.savez_compressed(file, x=np.resize(BYTES, (10, 8, 8)), y=np.arange(10) % 2, split=np.arange(10) % 3)
    return [file.getvalue()]


def review_files() -> list[bytes]:
    """A film review in UTF-8."""
    return ["Très bon. <br />10/10 ☺".encode()]


@cache
def model_folder() -> dict[str, bytes]:
    """The files of ``save_pretrained``, and the weights as a pickle as well."""
    with tempfile.TemporaryDirectory() as name:
        model = CCNN(2, 3, 3, **ARGUMENTS)
        folder = model.save_pretrained(Path(name) / "model")
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        return {path.name: path.read_bytes() for path in folder.iterdir()}


@cache
def checkpoint() -> bytes:
    """A checkpoint of ``ccnn-geo train``, as short as possible."""
    network = build_network(2, 2, **ARGUMENTS)
    settings: dict[str, Any] = {"network": ARGUMENTS, "classes": ["a", "b"], "in_channels": 2}
    settings["data"] = {"dataset": "folder", "num_points": 4, "num_samples": 8}
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    file = io.BytesIO()
    torch.save({"state_dict": weights, "hyper_parameters": settings}, file)
    return file.getvalue()


def repack(archive: bytes, change: str, content: bytes) -> bytes:
    """Returns an archive with one member replaced, and checksums that agree."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(file, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, content if info.filename.endswith(change) else old.read(info))
    return file.getvalue()


def member(archive: bytes, name: str) -> bytes:
    """Returns the content of an archive under a name."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return file.read(next(info for info in file.infolist() if info.filename.endswith(name)))


class _Runs:
    """Runs code when its pickle is opened."""

    def __reduce__(self) -> tuple:
        return exec, ("raise SystemExit('executed')",)


def hostile_pickle() -> bytes:
    """A pickle that ends the program that opens it."""
    return pickle.dumps({"state_dict": _Runs()}, protocol=2)
