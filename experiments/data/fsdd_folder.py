"""The Free Spoken Digit Dataset in the layout of Speech Commands, for the speech tasks at small scale.

    python -m ccnn_geo.experiments.data.fsdd_folder RECORDINGS OUT

RECORDINGS is the folder of that name in the data set's repository: 3,000 files ``<digit>_<speaker>_<index>.wav`` of
8 kHz. OUT gets ``<word>/<speaker>_nohash_<index>.wav`` of 16 kHz, as in Speech Commands, and the lists of the
test set (the published one: indices below 5) and of the validation set (every tenth index of the rest).
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from functools import partial
from operator import methodcaller
from pathlib import Path

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

from ccnn_geo.datasets.audio.speech_commands import RATE
from ccnn_geo.datasets.audio.speech_files import LISTS
from ccnn_geo.io.files.storage import write_atomic

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_NAME = re.compile(r"(\d)_(\w+)_(\d+)\.wav")


def convert(recordings: Path, out: Path) -> Mapping[str, int]:
    """Writes the folder and returns the number of recordings of each split.

    Raises:
        FileNotFoundError: If there are no recordings.
        ValueError: If the name or content of a file is not as described.
    """
    lists: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for path in sorted(recordings.glob("*.wav")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path}: expected <digit>_<speaker>_<index>.wav")
        rate, wave = wavfile.read(path)
        if wave.ndim != 1 or wave.dtype != np.int16 or RATE % rate:
            raise ValueError(
                f"{path}: expected 16 bits, one channel and a rate that divides {RATE}, got {rate}"
            )
        digit, speaker, index = match.groups()
        name = f"{WORDS[int(digit)]}/{speaker}_nohash_{index}.wav"
        wave = resample_poly(wave.astype(np.float32), RATE // rate, 1).clip(-32768, 32767).astype(np.int16)
        write_atomic(out / name, partial(wavfile.write, rate=RATE, data=wave))
        held_out = "validation" if int(index) % 10 == 7 else "train"
        lists["test" if int(index) < 5 else held_out].append(name)
    if not any(lists.values()):
        raise FileNotFoundError(f"{recordings}: no recordings, expected <digit>_<speaker>_<index>.wav")
    for part, file in LISTS.items():
        text = "".join(f"{name}\n" for name in lists[part]).encode()
        write_atomic(out / file, methodcaller("write", text))
    return {part: len(names) for part, names in lists.items()}


def main(argv: list[str] | None = None) -> None:
    """Writes the folder and prints the number of recordings of each split."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args(argv)
    counts = convert(args.recordings, args.out)
    print(f"{args.out}: " + ", ".join(f"{count} {part}" for part, count in counts.items()))


if __name__ == "__main__":
    main()
