"""Spoken digits with a table of targets: how long and how loud each one is.

    python -m ccnn_geo.experiments.data.spoken_levels FSDD.NPZ OUT

FSDD.NPZ holds the Free Spoken Digit Dataset: ``audio``, ``offset``, ``length``, ``label``, ``index``, ``is_test`` and
``sample_rate``. OUT gets ``<split>/<number>.wav`` and ``<split>/targets.csv`` with the columns ``file``,
``voiced [s]``, the duration of frames of 20 ms at most 30 dB below the loudest, and ``level [dB]``, their mean power
below full scale. Every tenth recording of the training set is for validation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import wavfile

from ccnn_geo.experiments.data.clouds import parse, tell
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.io.target_table import TABLE

FRAME, DEPTH = 0.02, 30.0
"""Seconds of a frame, and lowest level of a voiced frame, in decibels below the loudest one."""

ARRAYS = ("audio", "offset", "length", "label", "index", "is_test", "sample_rate")


class Spoken(NamedTuple):
    """A recording: its split, its digit, and its samples in [-1, 1]."""

    split: str
    digit: int
    wave: np.ndarray


def read_spoken(source: Path) -> tuple[list[Spoken], int]:
    """Reads all recordings and their number of samples per second.

    Raises:
        ValueError: If the archive is damaged, or lacks an array.
    """
    arrays = read_arrays(source, ARRAYS)

    def found() -> Iterator[Spoken]:
        for i, length in enumerate(arrays["length"].tolist()):
            held_out = "validation" if arrays["index"][i] % 10 == 7 else "train"
            split = "test" if arrays["is_test"][i] else held_out
            start = arrays["offset"][i]
            yield Spoken(split, int(arrays["label"][i]), arrays["audio"][start : start + length] / 2**15)

    return list(found()), int(arrays["sample_rate"])


def powers(wave: np.ndarray, rate: int) -> np.ndarray:
    """Mean power of each frame, including the last one if it is complete."""
    size = round(FRAME * rate)
    return np.square(wave[: len(wave) // size * size].reshape(-1, size)).mean(axis=1)


def voiced(power: np.ndarray) -> np.ndarray:
    """Marks the frames that are not silent."""
    return power > power.max() * 10 ** (-DEPTH / 10)


def convert(source: Path, out: Path) -> Mapping[str, int]:
    """Writes the folders and returns the number of recordings of each split.

    Raises:
        ValueError: If the archive is damaged, or lacks an array.
    """
    recordings, rate = read_spoken(source)
    rows = {split: ["file,voiced [s],level [dB]\n"] for split in ("train", "validation", "test")}
    for split, _, wave in recordings:
        power = powers(wave, rate)
        heard = voiced(power)
        name = f"{len(rows[split]) - 1:04d}.wav"
        steps = np.rint(wave * 2**15).astype(np.int16)
        write_atomic(out / split / name, partial(wavfile.write, rate=rate, data=steps))
        level = 10 * np.log10(power[heard].mean())
        rows[split].append(f"{name},{heard.sum() * FRAME:.2f},{level:.2f}\n")
    for split, lines in rows.items():
        write_atomic(out / split / TABLE, methodcaller("write", "".join(lines).encode()))
    return {split: len(lines) - 1 for split, lines in rows.items()}


def main(argv: list[str] | None = None) -> None:
    """Writes the folders and prints the number of recordings of each split."""
    options = parse(__doc__, argv)
    tell(options.out, convert(options.archive, options.out))


if __name__ == "__main__":
    main()
