"""Reads wav recordings, resamples them, and cuts or pads them to a length."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path

import numpy as np

from ccnn_geo.io.wav_chunks import FLOAT, Sound, find_sound

MAX_RATE = 1_000_000
"""Most samples per second; a header that claims more is broken."""

READING = 2
"""Version of the reader; part of the name of stored files."""


def read_wav(path: str | PathLike[str]) -> tuple[np.ndarray, int]:
    """Reads samples and rate of a wav file: PCM of 8, 16, 24 or 32 bits, or floating point, any number of channels.

    Integers are divided by their full scale, 2^(bits - 1). Chunks other than sound are skipped. A file of unknown
    length, written into a pipe, is read to its end.

    Returns:
        Samples ``[C, T]`` float32, integers in [-1, 1), and samples per second.

    Raises:
        ValueError: If the file is not wav, is cut off, or holds no samples, compressed or infinite ones, or claims an
            impossible rate.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64") or start[8:] != b"WAVE":
            raise ValueError(f"{path}: not a wav file, expected a start of RIFF....WAVE, got {start!r}")
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
        with np.errstate(over="ignore", invalid="ignore"):  # the caller checks
            return np.frombuffer(sound.data, f"{sound.order}f{sound.width}").astype(np.float32)
    if sound.width == 1:
        return (np.frombuffer(sound.data, np.uint8).astype(np.float32) - 128) / 128
    if sound.width == 3:  # into the upper three of four bytes
        steps = np.zeros((len(sound.data) // 3, 4), np.uint8)
        place = slice(1, 4) if sound.order == "<" else slice(0, 3)
        steps[:, place] = np.frombuffer(sound.data, np.uint8).reshape(-1, 3)
        integers = steps.view(f"{sound.order}i4")[:, 0]
    else:
        integers = np.frombuffer(sound.data, f"{sound.order}i{sound.width}")
    return (integers / 2.0 ** (8 * integers.itemsize - 1)).astype(np.float32)


def resample(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
    """Resamples ``[C, T]`` to another rate, ``[C, ceil(T target / rate)]``, with a low-pass before a lower rate."""
    from scipy.signal import resample_poly

    common = math.gcd(rate, target)
    if rate == target:
        return samples
    return resample_poly(samples, target // common, rate // common, axis=1).astype(np.float32)


def fit_length(samples: np.ndarray, length: int) -> np.ndarray:
    """Pads samples ``[C, T]`` with silence, or crops them, on both sides to ``[C, length]``."""
    extra, missing = samples.shape[1] - length, length - samples.shape[1]
    if extra >= 0:
        return samples[:, extra // 2 : extra // 2 + length]
    return np.pad(samples, ((0, 0), (missing // 2, missing - missing // 2)))
