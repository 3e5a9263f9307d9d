"""Recordings -> one array of 16-bit samples in a file: in parallel, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ccnn_geo.datasets.base.conversion import Results, convert
from ccnn_geo.io.files.mapped import MappedArray, write_rows
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.io.recording import read_recording
from ccnn_geo.io.wav import resample
from ccnn_geo.transforms.pipelines.recordings import check_scale, stored_wave

CHUNK = 256
"""Recordings transformed at once: 8 MB of one second each."""


class Clips(NamedTuple):
    """Recordings as they are stored.

    Args:
        waves: ``[N, C, T]`` int16.
        samples: Length of each recording before it was cut or padded, at the common rate, ``[N]``.
        rate: Samples per second of all recordings.
        extra: Further columns ``[N]`` by name, as given to :func:`prepare_clips`.
    """

    waves: MappedArray
    samples: np.ndarray
    rate: int
    extra: dict[str, np.ndarray]


@dataclass(frozen=True)
class ClipSettings:
    """The common form of the stored recordings; files must agree in any property that is None.

    Args:
        length: Samples; other recordings are cut or padded, equally on both sides.
        rate: Samples per second; other recordings are resampled.
        mono: Average over the channels of a file; otherwise all files must have the same number.
    """

    length: int | None = None
    rate: int | None = None
    mono: bool = True

    def __post_init__(self) -> None:
        for name, value in (("length", self.length), ("rate", self.rate)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be positive, got {value}")


def prepare_clips(
    paths: Sequence[Path],
    extra: Mapping[str, Sequence | np.ndarray],
    settings: ClipSettings,
    target: Path,
    num_workers: int | None = None,
    check: Callable[[np.ndarray], None] | None = None,
) -> None:
    """Reads all files into ``target.npy`` and ``target.npz`` unless these exist; processes share the work.

    Args:
        paths: wav files.
        extra: Columns to store beside them.
        settings: The common form of the recordings.
        target: Path without extension.
        num_workers: Processes that read, 0 for none; None chooses by the size of the files.
        check: Called with the lengths ``[N]`` before any file gets its name; may raise.

    Raises:
        ValueError: If files cannot be read or do not agree; lists them by the kind of error.
    """
    rows, index = target.with_name(target.name + ".npy"), target.with_name(target.name + ".npz")

    def is_there() -> bool:
        return index.exists() and rows.exists()

    if is_there():
        return
    form = _form(paths[0], settings)

    def merge(found: Results) -> None:
        samples: list[int] = []

        def waves() -> Iterator[np.ndarray]:
            for clip in found.arrays("recordings"):
                samples.append(int(clip["samples"]))
                yield clip["wave"]
            if check is not None:
                check(np.array(samples))

        write_rows(rows, np.int16, (len(paths), form.channels, form.length), waves())
        columns: dict[str, Any] = {name: np.array(column) for name, column in extra.items()}
        write_atomic(index, partial(np.savez, samples=np.array(samples), rate=np.array(form.rate), **columns))

    columns = (paths, [form] * len(paths), [settings] * len(paths))
    convert(read_clip, columns, target, merge, title="recordings", num_workers=num_workers, is_there=is_there)


def load_clips(target: Path, extra: Sequence[str]) -> Clips:
    """Opens the recordings of :func:`prepare_clips`, with some further columns; the samples stay in their file.

    Raises:
        ValueError: If the stored files are damaged.
    """
    columns = read_arrays(target.with_name(target.name + ".npz"), ("samples", "rate", *extra))
    samples, rate = columns.pop("samples"), int(columns.pop("rate"))
    return Clips(MappedArray(target.with_name(target.name + ".npy")), samples, rate, columns)


class _Form(NamedTuple):
    """The form of the first file, for properties that the settings leave open."""

    path: Path
    channels: int
    length: int
    rate: int


def _form(path: Path, settings: ClipSettings) -> _Form:
    wave, rate = read_recording(path)
    if settings.rate is not None:
        wave, rate = resample(wave, rate, settings.rate), settings.rate
    return _Form(path, 1 if settings.mono else len(wave), settings.length or wave.shape[1], rate)


def read_clip(path: Path, form: _Form, settings: ClipSettings) -> dict[str, np.ndarray]:
    """Reads the samples of a file, ``wave [C, T]`` int16, and their number before they were cut or padded."""
    wave = _agreeing(*read_recording(path), path, form, settings)
    return {"wave": stored_wave(wave, form.length), "samples": np.array(wave.shape[1])}


def _agreeing(wave: np.ndarray, rate: int, path: Path, form: _Form, settings: ClipSettings) -> np.ndarray:
    """Brings a recording to the common rate and number of channels."""
    check_scale(wave, str(path))
    if settings.mono:
        wave = wave.mean(axis=0, keepdims=True)
    if settings.rate is not None:
        wave, rate = resample(wave, rate, settings.rate), settings.rate
    if rate != form.rate:
        raise ValueError(
            f"{path}: {rate} samples per second, {form.path} has {form.rate}; give a rate for all"
        )
    if len(wave) != form.channels:
        raise ValueError(f"{path}: {len(wave)} channels, {form.path} has {form.channels}; mono=True averages")
    if settings.length is None and wave.shape[1] != form.length:
        raise ValueError(
            f"{path}: {wave.shape[1]} samples, {form.path} has {form.length}; give a length for all"
        )
    return wave
