"""The folder of a model: ``config.json`` and ``model.safetensors``, complete or absent."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ccnn_geo._base.version import VERSION
from ccnn_geo.io.files.storage import write_atomic

CONFIG, WEIGHTS, PICKLE = "config.json", "model.safetensors", "pytorch_model.bin"
FORMAT, FORMAT_VERSION = "ccnn_geo", 2
"""Identifies a folder; the version increases when older releases cannot read what newer ones write."""
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle")

OPENERS = {".pt2": "torch.export.load", ".onnx": "onnxruntime.InferenceSession"}
"""The function that opens a program, by extension."""

Writer = Callable[[BinaryIO], object]


def write_folder(
    folder: Path, config: Mapping[str, Any], files: Mapping[str, Writer], overwrite: bool = False
) -> None:
    """Writes a model; a new folder appears complete, an existing one loses ``config.json`` first and gets it last.

    Raises:
        ValueError: If the folder is not empty without ``overwrite``, or the configuration is not plain.
    """
    head = {"format": FORMAT, "format_version": FORMAT_VERSION, "package_version": VERSION, **config}

    def fill(base: Path) -> None:
        for name, write in files.items():
            write_atomic(base / name, write)
        digests = {name: _digest((base / name).read_bytes()) for name in files}
        text = json.dumps({**head, "sha256": digests}, indent=2) + "\n"
        write_atomic(base / CONFIG, lambda file: file.write(text.encode()))

    folder = Path(folder).expanduser()
    check_vacant(folder, files, overwrite)
    if folder.is_dir():
        (folder / CONFIG).unlink(missing_ok=True)
        fill(folder)
        return
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        fill(temporary)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_vacant(folder: Path, files: Iterable[str], overwrite: bool = False) -> None:
    """Refuses a folder that cannot hold a new model.

    Args:
        folder: The folder.
        files: Names of the files to write beside the configuration.
        overwrite: Accept a folder that is not empty.

    Raises:
        ValueError: If it is a file, or is not empty and ``overwrite`` is not set.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: a file, expected a folder")
    if overwrite or not folder.is_dir():
        return
    # a killed process leaves no model: parts only, without a configuration
    if {path.name for path in folder.iterdir() if path.suffix != ".tmp"} - set(files):
        raise ValueError(
            f"{folder}: not empty; name another folder, or set overwrite (--overwrite) to replace the model"
        )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def weights_writer(weights: Mapping[str, Tensor]) -> Writer:
    """Writes tensors in the safetensors format."""
    from safetensors.torch import save

    whole = {name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}
    return lambda file: file.write(save(whole, {"format": "pt"}))


def read_config(folder: Path) -> dict[str, Any]:
    """Reads ``config.json`` of a folder.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it does not belong to a model of this package, or has an unknown format.
    """
    path = folder / CONFIG
    if not path.is_file():
        refuse_pickles(folder, os.listdir(folder))
        raise FileNotFoundError(f"{folder}: no {CONFIG}; expected a folder written by save_pretrained")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: damaged, expected JSON ({error})") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise ValueError(f'{path}: not of this package, expected "format": "{FORMAT}"')
    version, writer = config.get("format_version"), config.get("package_version")
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"{path}: expected a format_version of 1 or more, got {version!r}")
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{path}: format {version}, written by ccnn_geo {writer}; this is ccnn_geo {VERSION}, which reads "
            f"formats up to {FORMAT_VERSION}: install ccnn_geo {writer} or newer"
        )
    if not isinstance(config.get("network"), dict):
        raise ValueError(f"{path}: damaged, expected the network's arguments under 'network'")
    return config


def read_weights(folder: Path, config: Mapping[str, Any], allow_pickle: bool = False) -> dict[str, Tensor]:
    """Reads the weights of a folder; a pickle only if allowed, and then only its tensors.

    Bytes are compared with the checksum in ``config.json``, if there is one: a flipped byte would become a weight.

    Raises:
        FileNotFoundError: If there are no weights, or a program in their place.
        ValueError: If they are damaged, or only a pickle holds them.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = folder / WEIGHTS
    if path.is_file():
        data, digests = path.read_bytes(), config.get("sha256")
        if isinstance(digests, dict) and digests.get(WEIGHTS, _digest(data)) != _digest(data):
            raise ValueError(
                f"{path}: damaged, or of another model: its checksum differs from the one in {CONFIG}"
            )
        try:
            return load(data)
        except (
            SafetensorError,
            LookupError,
            ValueError,
            TypeError,
        ) as error:  # such as a type unknown to torch
            raise ValueError(f"{path}: damaged ({error})") from error
    _refuse_program(folder, config)
    if not allow_pickle:
        refuse_pickles(folder, os.listdir(folder))
    path = folder / PICKLE
    if not (allow_pickle and path.is_file()):
        raise FileNotFoundError(f"{folder}: no {WEIGHTS}; expected a folder written by save_pretrained")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged and hostile pickles raise errors of many types
        raise ValueError(f"{path}: not plain tensors ({type(error).__name__}), so it is not read") from error
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ValueError(f"{path}: expected a state dict of names and tensors")
    return weights


def _refuse_program(folder: Path, config: Mapping[str, Any]) -> None:
    program = config.get("program")
    name = str(program.get("file")) if isinstance(program, dict) else ""
    opener = OPENERS.get(Path(name).suffix)
    if opener is not None:
        raise FileNotFoundError(
            f"{folder}: holds the program {name}, which {opener} opens, and no {WEIGHTS}; expected weights, which "
            "ccnn-geo export writes with --format safetensors"
        )


def refuse_pickles(where: str | Path, names: Iterable[str]) -> None:
    """Refuses the files of a folder or repository if they include pickles."""
    found = sorted(name for name in names if Path(name).suffix in PICKLES)
    if found:
        raise ValueError(
            f"{where}: holds {', '.join(found)} and no {CONFIG} with {WEIGHTS}; pickles can run code when they are "
            "read, so none is opened. Write a safe folder with save_pretrained, or from a checkpoint of ccnn-geo "
            "train with: ccnn-geo export CHECKPOINT OUT"
        )
