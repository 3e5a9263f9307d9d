"""Three spoken digits with pauses, as a table of band energies in time with a label for each time.

    python -m ccnn_geo.experiments.data.spoken_series FSDD.NPZ OUT

FSDD.NPZ is the input of :mod:`~ccnn_geo.experiments.data.spoken_levels`. OUT gets ``<split>/<number>.csv``, a line
for each frame of 20 ms, with the columns ``time`` in seconds, ``band_1`` to ``band_8``, energies in decibels of bands
of equal width on the mel scale, and ``label``: the digit, ``silence``, or nothing near the start and end of a
digit. The digits of a table come from one split of the recordings, and from all speakers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import methodcaller
from pathlib import Path

import numpy as np

from ccnn_geo.experiments.data.clouds import parse, tell
from ccnn_geo.experiments.data.fsdd_folder import WORDS
from ccnn_geo.experiments.data.spoken_levels import FRAME, powers, read_spoken, voiced
from ccnn_geo.io.files.storage import write_atomic

COUNTS = {"train": 600, "validation": 100, "test": 100}
BANDS, DIGITS, PAUSE = 8, 3, (0.2, 0.5)
"""Bands, digits per table, and seconds of a pause."""

NOISE = 1e-3
"""Standard deviation of the background noise."""


def energies(wave: np.ndarray, rate: int) -> np.ndarray:
    """Energies of the bands of each frame, in decibels, ``[frames, BANDS]``."""
    size = round(FRAME * rate)
    frames = wave[: len(wave) // size * size].reshape(-1, size) * np.hanning(size)
    power = np.square(np.abs(np.fft.rfft(frames)))
    mel = 2595 * np.log10(1 + np.fft.rfftfreq(size, 1 / rate) / 700)
    band = np.minimum((mel / mel[-1] * BANDS).astype(int), BANDS - 1)
    total = np.stack([power[:, band == b].mean(axis=1) for b in range(BANDS)], axis=1)
    return 10 * np.log10(total + 1e-12)


def lines(waves: Sequence[tuple[str, np.ndarray]], rate: int, rng: np.random.Generator) -> list[str]:
    """Makes a table of some words with pauses around them."""
    size = round(FRAME * rate)
    parts, labels = [], list[str]()
    for word, wave in [*waves, ("", None)]:
        pause = round(rng.uniform(*PAUSE) / FRAME)
        parts.append(np.zeros(pause * size))
        labels += ["silence"] * pause
        if wave is not None:
            heard = np.flatnonzero(voiced(powers(wave, rate)))
            whole = [""] * (len(wave) // size)
            whole[heard[0] + 1 : heard[-1]] = [word] * max(0, heard[-1] - heard[0] - 1)
            parts.append(wave[: len(whole) * size])
            labels += whole
    sound = np.concatenate(parts)
    bands = energies(sound + NOISE * rng.normal(size=len(sound)), rate)
    head = ",".join(["time", *(f"band_{b + 1}" for b in range(BANDS)), "label"])
    rows = [
        f"{i * FRAME:.2f},{','.join(f'{value:.1f}' for value in row)},{label}"
        for i, (row, label) in enumerate(zip(bands, labels, strict=True))
    ]
    return [head, *rows]


def convert(source: Path, out: Path, counts: Mapping[str, int] = COUNTS) -> Mapping[str, int]:
    """Writes the folders and returns the number of tables of each split.

    Raises:
        ValueError: If the archive is damaged, or lacks an array.
    """
    recordings, rate = read_spoken(source)
    rng = np.random.default_rng(0)
    for split, count in counts.items():
        known = [spoken for spoken in recordings if spoken.split == split]
        for number in range(count):
            chosen = (known[i] for i in rng.choice(len(known), DIGITS, replace=False))
            table = lines([(WORDS[spoken.digit], spoken.wave) for spoken in chosen], rate, rng)
            text = "\n".join(table) + "\n"
            write_atomic(out / split / f"{number:03d}.csv", methodcaller("write", text.encode()))
    return dict(counts)


def main(argv: list[str] | None = None) -> None:
    """Writes the folders and prints the number of tables of each split."""
    options = parse(__doc__, argv)
    tell(options.out, convert(options.archive, options.out))


if __name__ == "__main__":
    main()
