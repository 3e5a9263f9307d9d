"""Files of shapes -> one compact array file: in parallel, once."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ccnn_geo._base.caller import warn_caller
from ccnn_geo.datasets.base.workers import mapper
from ccnn_geo.io import ShapeError, read_shape
from ccnn_geo.io.files.grouped_errors import group_errors
from ccnn_geo.io.files.progress import progress
from ccnn_geo.io.files.sample_files import cannot_open
from ccnn_geo.io.files.storage import exclusive, write_atomic
from ccnn_geo.transforms import SampleShape

STEPS = 32767
"""Vectors of length 1 and less are stored as int16 multiples of 1 / STEPS: as small as float16, but with an
error of at most 1.5e-5 everywhere, where float16 has 2.4e-4 near the surface of the sphere."""


@dataclass(frozen=True)
class ShapeFile:
    """One sample: where it is, what it is called (its seed comes from that), its class, and names of its columns."""

    path: Path
    name: str
    label: int
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Settings:
    """What decides the stored numbers; part of the name of the file that holds them."""

    num_samples: int
    k: int
    seed: int
    frame: str = "sphere"
    cells: str = "surface"
    version: int = 1


def digest(*parts: object) -> str:
    """Short name for a combination of settings."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def prepare(
    files: Sequence[ShapeFile],
    settings: Settings,
    target: Path,
    num_workers: int | None,
    on_error: str,
    title: str,
) -> None:
    """Samples all files and writes ``target`` unless it is there; processes that ask at the same time wait."""
    with exclusive(target.parent, target.name):
        if target.exists():
            return
        for stale in target.parent.glob(f".{target.name}.*.tmp"):  # of a process that was killed
            stale.unlink(missing_ok=True)
        clouds, errors = _sample_all(files, settings, num_workers, title)
        if errors and (on_error == "raise" or len(errors) == len(files)):
            raise ShapeError(_report(errors, len(files)) + "; on_error='skip' leaves them out")
        if errors:
            warn_caller(_report(errors, len(files)) + "; left out")
        kept = [(file, cloud) for file, cloud in zip(files, clouds, strict=True) if cloud is not None]
        arrays: dict[str, Any] = {
            "pos": np.concatenate([pos for _, (pos, _) in kept]),
            "normal": np.concatenate([normal for _, (_, normal) in kept]),
            "offset": np.cumsum([0] + [len(pos) for _, (pos, _) in kept]),
            "y": np.array([file.label for file, _ in kept]),
            "name": np.array([file.name for file, _ in kept]),
            "skipped": np.array(errors, dtype=np.str_),
            **{key: np.array(value) for key, value in asdict(settings).items()},
        }
        write_atomic(target, partial(np.savez, **arrays))


def _report(errors: list[str], total: int) -> str:
    shown = "\n  ".join(group_errors(errors))
    return f"{len(errors)} of {total} files could not be read:\n  {shown}\n"


def _sample_all(
    files: Sequence[ShapeFile], settings: Settings, num_workers: int | None, title: str
) -> tuple[list, list[str]]:
    clouds, errors = [], []
    columns = (
        [f.path for f in files],
        [f.name for f in files],
        [settings] * len(files),
        [f.columns for f in files],
    )
    num_workers = _processes(files) if num_workers is None else num_workers
    with mapper(num_workers) as map_, progress(total=len(files), title=title) as bar:
        for result in map_(sample_file, *columns):
            bar.update()
            clouds.append(None if isinstance(result, str) else result)
            if isinstance(result, str):
                errors.append(result)
    return clouds, errors


def sample_file(
    path: Path, name: str, settings: Settings, columns: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray] | str:
    """Stored positions and normals ``[N, 3]`` int16 of one file, or what is wrong with it."""
    # the seed depends on the file alone: neither on the order of the work nor on the number of workers
    text = f"{settings.seed}:{name}".encode("utf-8", "surrogatepass")  # names of files may be any bytes
    seed = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
    generator = torch.Generator().manual_seed(seed)
    sample = SampleShape(settings.num_samples, settings.k, generator, settings.frame, settings.cells)
    try:
        data = sample(read_shape(path, columns).to_data())
    except ShapeError as error:
        return str(error)
    except OSError as error:
        return cannot_open(path, error)
    except ValueError as error:  # ours, of a shape that cannot be sampled
        return f"{path}: {error}"
    except Exception as error:  # whatever it is: it must not take the other files with it
        return f"{path}: {type(error).__name__} when it was read, expected a sound shape"
    return _to_steps(data.pos), _to_steps(data.normal)


def _to_steps(vectors: torch.Tensor) -> np.ndarray:
    return (vectors.double() * STEPS).round().clamp(-STEPS, STEPS).to(torch.int16).numpy()


def _processes(files: Sequence[ShapeFile]) -> int:
    """How many are worth their start, which takes seconds: one for every 32 MB to read."""
    work = sum(file.path.stat().st_size for file in files) // 2**25
    return min(work, os.cpu_count() or 1) if work > 1 else 0
