"""Shape files -> one compact array file: in parallel, once."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ccnn_geo._base.caller import warn_caller
from ccnn_geo._base.pyg import Data
from ccnn_geo.datasets.base.conversion import Arrays, Results, convert
from ccnn_geo.io import ShapeError, read_shape
from ccnn_geo.io.files.grouped_errors import group_errors
from ccnn_geo.io.files.sample_files import cannot_open
from ccnn_geo.io.files.storage import write_atomic
from ccnn_geo.transforms import SampleShape

STEPS = 32767
"""Vectors of length 1 and less are stored as int16 multiples of 1 / STEPS: as small as float16, but with an
error of at most 1.5e-5 everywhere, against 2.4e-4 of float16 near the surface of the sphere."""


@dataclass(frozen=True)
class ShapeFile:
    """One sample: its path, its name (which gives its seed), its class, and names of its columns."""

    path: Path
    name: str
    label: int
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Settings:
    """Settings that determine the stored numbers; part of the stored file's name."""

    num_samples: int
    k: int
    seed: int
    frame: str = "sphere"
    cells: str = "surface"
    version: int = 1


Kept = Sequence[tuple[ShapeFile, Arrays]]
"""Files that could be read, with their results."""


@dataclass(frozen=True)
class Conversion:
    """The conversion of a data set's files, and further arrays to store.

    Args:
        function: Maps a file to arrays, ``pos`` and ``normal`` among them, or to an error message; None for
            :func:`sample_file`.
        more: Further arrays, from all files that could be read.
    """

    function: Callable[..., Arrays | str] | None = None
    more: Callable[[Kept], Mapping[str, Any]] = lambda kept: {}


def prepare(
    files: Sequence[ShapeFile],
    settings: Settings,
    target: Path,
    num_workers: int | None,
    on_error: str,
    title: str,
    conversion: Conversion,
) -> None:
    """Samples all files and writes ``target`` unless it exists; processes share the work.

    Args:
        files: The samples.
        settings: Settings of the sampling.
        target: The file of arrays.
        num_workers: Processes; None chooses by the amount of data.
        on_error: ``"raise"`` or ``"skip"``.
        title: Name of the work, for the progress bar.
        conversion: The conversion of a file.

    Raises:
        ShapeError: Names the files that could not be read.
    """

    def merge(found: Results) -> None:
        errors = found.errors
        if errors and (on_error == "raise" or len(errors) == len(files)):
            raise ShapeError(_report(errors, len(files)) + "; on_error='skip' leaves them out")
        if errors:
            warn_caller(_report(errors, len(files)) + "; left out")
        kept = [(file, cloud) for file, cloud in zip(files, found, strict=True) if not isinstance(cloud, str)]
        arrays: dict[str, Any] = {
            "pos": np.concatenate([cloud["pos"] for _, cloud in kept]),
            "normal": np.concatenate([cloud["normal"] for _, cloud in kept]),
            "offset": np.cumsum([0] + [len(cloud["pos"]) for _, cloud in kept]),
            "y": np.array([file.label for file, _ in kept]),
            "name": np.array([file.name for file, _ in kept]),
            "skipped": np.array(errors, dtype=np.str_),
            **{key: np.array(value) for key, value in asdict(settings).items()},
            **conversion.more(kept),
        }
        write_atomic(target, partial(np.savez, **arrays))

    columns = (
        [f.path for f in files],
        [f.name for f in files],
        [settings] * len(files),
        [f.columns for f in files],
    )
    convert(conversion.function or sample_file, columns, target, merge, title=title, num_workers=num_workers)


def _report(errors: list[str], total: int) -> str:
    shown = "\n  ".join(group_errors(errors))
    return f"{len(errors)} of {total} files could not be read:\n  {shown}\n"


def sample_file(
    path: Path, name: str, settings: Settings, columns: Sequence[str] | None = None
) -> dict[str, np.ndarray] | str:
    """Reads one file into ``pos`` and ``normal``, ``[N, 3]`` int16 as stored, or returns an error message."""
    return sampled(path, name, settings, lambda: read_shape(path, columns).to_data())


def sampled(
    path: Path, name: str, settings: Settings, read: Callable[[], Data]
) -> dict[str, np.ndarray] | str:
    """Samples what a function reads; adds ``part [N]`` int16 if it has a part for each face or point."""
    # the seed depends only on the file, not on the order of the work or the number of workers
    text = f"{settings.seed}:{name}".encode("utf-8", "surrogatepass")  # names of files may be any bytes
    seed = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
    generator = torch.Generator().manual_seed(seed)
    sample = SampleShape(settings.num_samples, settings.k, generator, settings.frame, settings.cells)
    try:
        data = sample(read())
    except ShapeError as error:
        return str(error)
    except OSError as error:
        return cannot_open(path, error)
    except ValueError as error:  # ours, about a shape that cannot be sampled
        return f"{path}: {error}"
    except Exception as error:  # any error must not stop the other files
        return f"{path}: {type(error).__name__} when it was read, expected a sound shape"
    parts = {} if data.get("part") is None else {"part": data.part.numpy().astype(np.int16)}
    return {"pos": _to_steps(data.pos), "normal": _to_steps(data.normal), **parts}


def _to_steps(vectors: torch.Tensor) -> np.ndarray:
    return (vectors.double() * STEPS).round().clamp(-STEPS, STEPS).to(torch.int16).numpy()
