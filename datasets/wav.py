"""Recordings: read wav files, change their rate, cut or fill them to a length."""

from __future__ import annotations

import io
import math
import warnings
from os import PathLike
from pathlib import Path

import numpy as np

MAX_RATE = 1_000_000
"""Samples per second; a header that claims more is broken."""

_FULL_SCALE = {"i2": 2.0**15, "i4": 2.0**31, "f4": 1.0, "f8": 1.0}


def read_wav(path: str | PathLike[str]) -> tuple[np.ndarray, int]:
    """Samples and rate of a wav file: PCM of 8, 16, 24 or 32 bits, or floating point, any number of channels.

    Integers are divided by their full scale, 2^(bits - 1). Chunks other than sound are skipped.

    Returns:
        Samples ``[C, T]`` float32, integers in [-1, 1), and samples per second.

    Raises:
        ValueError: If it is no wav file, is cut off, holds no samples, compressed or infinite ones, or claims an
            impossible rate.
    """
    from scipy.io import wavfile

    path = Path(path)
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] not in (b"RIFF", b"RIFX", b"RF64") or start[8:] != b"WAVE":
            raise ValueError(f"{path}: not a wav file, expected it to start with RIFF....WAVE, got {start!r}")
        content = _Content(start + file.read())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of chunks it does not know
            rate, data = wavfile.read(content)
    except Exception as error:  # a header can break the reader in many ways
        raise ValueError(
            f"{path}: cannot be read ({type(error).__name__}: {error}); expected a complete wav file, PCM of 8, 16, "
            f"24 or 32 bits or floating point"
        ) from error
    if not 0 < rate <= MAX_RATE:
        raise ValueError(f"{path}: expected 1 to {MAX_RATE} samples per second, got {rate}")
    if data.size == 0:
        raise ValueError(f"{path}: holds no samples")
    return _to_float(path, data.reshape(len(data), -1).T), rate


class _Content(io.BytesIO):
    """A file in memory, where a header that claims more than there is asks for too much."""

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        if (
            size is not None and size > 4 and len(found) < size
        ):  # four: the name of a chunk, which may not come
            raise EOFError(f"{len(found)} of {size} bytes are there")
        return found


def _to_float(path: Path, data: np.ndarray) -> np.ndarray:
    kind = data.dtype.str[1:]
    if kind == "u1":
        return (data.astype(np.float32) - 128) / 128
    if kind not in _FULL_SCALE:
        raise ValueError(
            f"{path}: samples of type {data.dtype}, expected 8, 16, 24 or 32 bits or floating point"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        samples = (data / _FULL_SCALE[kind]).astype(np.float32)
    if not np.isfinite(samples).all():
        raise ValueError(f"{path}: {np.count_nonzero(~np.isfinite(samples))} samples are not finite")
    return samples


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
