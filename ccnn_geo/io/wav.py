"""Recordings: read wav files, change their rate, cut or fill them to a length."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path

import numpy as np

from ccnn_geo.io.wav_chunks import FLOAT, Sound, find_sound

MAX_RATE = 1_000_000
"""Samples per second; a header that claims more is broken."""

READING = 2
"""Counts changes of what is read of a file; part of the name of what is stored."""


def read_wav(path: str | PathLike[str]) -> tuple[np.ndarray, int]:
    """Samples and rate of a wav file: PCM of 8, 16, 24 or 32 bits, or floating point, any number of channels.

    Integers are divided by their full scale, 2^(bits - 1). Chunks other than sound are skipped. A file that was
    written into a pipe, of unknown length, is read to its end.

    Returns:
        Samples ``[C, T]`` float32, integers in [-1, 1), and samples per second.

    Raises:
        ValueError: If it is no wav file, is cut off, holds no samples, compressed or infinite ones, or claims an
            impossible rate.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64") or start[8:] != b"WAVE":
            raise ValueError(f"{path}: not a wav file, expected it to start with RIFF....WAVE, got {start!r}")
        sound = find_sound(path, start + file.read())
    if not 0 < sound.rate <= MAX_RATE:
        raise ValueError(f"{path}: expected 1 to {MAX_RATE} samples per second, got {sound.rate}")
    if not sound.data:
        raise ValueError(f"{path}: holds no samples")
    samples = _to_float(sound)
    if not np.isfinite(samples).all():
        raise ValueError(f"{path}: {np.count_nonzero(~np.isfinite(samples))} samples are not finite")
    return np.ascontiguousarray(samples.reshape(-1, sound.channels).T), sound.rate


def _to_float(sound: Sound) -> np.ndarray:
    if sound.tag == FLOAT:
        with np.errstate(over="ignore", invalid="ignore"):  # the caller looks
            return np.frombuffer(sound.data, f"{sound.order}f{sound.width}").astype(np.float32)
    if sound.width == 1:
        return (np.frombuffer(sound.data, np.uint8).astype(np.float32) - 128) / 128
    if sound.width == 3:  # to the upper bytes of four
        steps = np.zeros((len(sound.data) // 3, 4), np.uint8)
        place = slice(1, 4) if sound.order == "<" else slice(0, 3)
        steps[:, place] = np.frombuffer(sound.data, np.uint8).reshape(-1, 3)
        integers = steps.view(f"{sound.order}i4")[:, 0]
    else:
        integers = np.frombuffer(sound.data, f"{sound.order}i{sound.width}")
    return (integers / 2.0 ** (8 * integers.itemsize - 1)).astype(np.float32)


def resample(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
    """Samples ``[C, T]`` at another rate, ``[C, ceil(T target / rate)]``; a low-pass goes before a lower one."""
    from scipy.signal import resample_poly

    common = math.gcd(rate, target)
    if rate == target:
        return samples
    return resample_poly(samples, target // common, rate // common, axis=1).astype(np.float32)


def fit_length(samples: np.ndarray, length: int) -> np.ndarray:
    """Samples ``[C, T]`` as ``[C, length]``: silence on both sides of a shorter one, both ends off a longer one."""
    extra, missing = samples.shape[1] - length, length - samples.shape[1]
    if extra >= 0:
        return samples[:, extra // 2 : extra // 2 + length]
    return np.pad(samples, ((0, 0), (missing // 2, missing - missing // 2)))
