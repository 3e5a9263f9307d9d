"""Recordings -> one array of 16-bit samples in a file: in parallel, once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ccnn_geo.datasets.base.workers import mapper
from ccnn_geo.io.files.grouped_errors import group_errors
from ccnn_geo.io.files.mapped import MappedArray, write_rows
from ccnn_geo.io.files.progress import progress
from ccnn_geo.io.files.sample_files import cannot_open
from ccnn_geo.io.files.storage import exclusive, read_arrays, write_atomic
from ccnn_geo.io.recording import read_recording
from ccnn_geo.io.wav import resample
from ccnn_geo.transforms.pipelines.recordings import check_scale, stored_wave

CHUNK = 256
"""Recordings that are read, sent or transformed at once: 8 MB of one second each."""


class Clips(NamedTuple):
    """What is stored of recordings.

    Args:
        waves: ``[N, C, T]`` int16.
        samples: Length of each recording before it was cut or filled, at the common rate, ``[N]``.
        rate: Samples per second, of all.
        extra: Further columns ``[N]`` by name, as given to :func:`prepare_clips`.
    """

    waves: MappedArray
    samples: np.ndarray
    rate: int
    extra: dict[str, np.ndarray]


@dataclass(frozen=True)
class ClipSettings:
    """What the stored recordings have in common; what is None must agree in all files.

    Args:
        length: Samples; others are cut or filled, equally on both sides.
        rate: Samples per second; others are resampled.
        mono: Average over the channels of a file; otherwise all must have as many.
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
    """Reads all files into ``target.npy`` and ``target.npz`` unless they are there; other processes wait.

    Args:
        paths: wav files.
        extra: Columns that are stored beside them.
        settings: What they shall have in common.
        target: Path without ending.
        num_workers: Processes that read, 0 for none; None takes one for every 2,048 files, at most one per core.
        check: Called with the lengths ``[N]`` before anything gets its name; may raise.

    Raises:
        ValueError: Names the files that could not be read or do not agree, by kind.
    """
    rows, index = target.with_name(target.name + ".npy"), target.with_name(target.name + ".npz")
    with exclusive(target.parent, target.name):
        if index.exists() and rows.exists():
            return
        for stale in target.parent.glob(f".{target.name}.np*.tmp"):  # of a process that was killed
            stale.unlink(missing_ok=True)
        form = _form(paths[0], settings)
        samples, errors = [], []

        def chunks() -> Iterator[np.ndarray]:
            for wave, found, wrong in _read_all(paths, form, settings, num_workers):
                samples.extend(found)
                errors.extend(wrong)
                yield wave
            if errors:
                shown = ";\n  ".join(group_errors(errors))
                raise ValueError(f"{len(errors)} of {len(paths)} recordings cannot be used:\n  {shown}")
            if check is not None:
                check(np.array(samples))

        write_rows(rows, np.int16, (len(paths), form.channels, form.length), chunks())
        columns: dict[str, Any] = {name: np.array(column) for name, column in extra.items()}
        write_atomic(index, partial(np.savez, samples=np.array(samples), rate=np.array(form.rate), **columns))


def load_clips(target: Path, extra: Sequence[str]) -> Clips:
    """What :func:`prepare_clips` has stored, with some further columns; the samples stay in their file.

    Raises:
        ValueError: If the stored files are damaged.
    """
    columns = read_arrays(target.with_name(target.name + ".npz"), ("samples", "rate", *extra))
    samples, rate = columns.pop("samples"), int(columns.pop("rate"))
    return Clips(MappedArray(target.with_name(target.name + ".npy")), samples, rate, columns)


class _Form(NamedTuple):
    """What the first file has, where the settings leave it open."""

    path: Path
    channels: int
    length: int
    rate: int


def _form(path: Path, settings: ClipSettings) -> _Form:
    wave, rate = read_recording(path)
    if settings.rate is not None:
        wave, rate = resample(wave, rate, settings.rate), settings.rate
    return _Form(path, 1 if settings.mono else len(wave), settings.length or wave.shape[1], rate)


def _read_all(
    paths: Sequence[Path], form: _Form, settings: ClipSettings, num_workers: int | None
) -> Iterator[tuple[np.ndarray, list[int], list[str]]]:
    parts = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    if num_workers is None:  # starting a process costs seconds
        num_workers = min(len(parts) // 8, os.cpu_count() or 1) if len(parts) >= 16 else 0
    with mapper(num_workers) as map_, progress(total=len(paths), title="recordings") as bar:
        for result in map_(read_clips, parts, [form] * len(parts), [settings] * len(parts)):
            bar.update(len(result[0]))
            yield result


def read_clips(
    paths: Sequence[Path], form: _Form, settings: ClipSettings
) -> tuple[np.ndarray, list[int], list[str]]:
    """Stored samples ``[N, C, T]`` int16 of some files, their lengths, and what is wrong with any."""
    waves = np.zeros((len(paths), form.channels, form.length), np.int16)
    samples, errors = [0] * len(paths), []
    for i, path in enumerate(paths):
        try:
            wave = _agreeing(*read_recording(path), path, form, settings)
        except ValueError as error:
            errors.append(str(error))
            continue
        except OSError as error:
            errors.append(cannot_open(path, error))
            continue
        samples[i] = wave.shape[1]
        waves[i] = stored_wave(wave, form.length)
    return waves, samples, errors


def _agreeing(wave: np.ndarray, rate: int, path: Path, form: _Form, settings: ClipSettings) -> np.ndarray:
    """A recording at the common rate and with the common number of channels."""
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
