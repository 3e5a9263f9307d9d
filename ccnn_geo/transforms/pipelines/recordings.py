"""From a recording to network inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.io.recording import RECORDINGS, read_recording
from ccnn_geo.io.wav import fit_length, resample
from ccnn_geo.transforms.mfcc import MFCC
from ccnn_geo.transforms.pipelines.base import Pipeline

FULL_SCALE = 2**15
"""Samples are multiples of 1 / 2^15."""

MOST_CUT = 0.1
"""Share of values that may lie outside [-1, 1] and be clipped; a larger share means another scale."""

EPSILON = 1e-5
"""Added to the standard deviation: a channel that never changes becomes 0."""

Sound = tuple[np.ndarray, int]


@dataclass(frozen=True)
class RecordingPipeline(Pipeline):
    r"""Prepares a recording: a wave or its MFCC, :math:`(x - \mu_c) / (\sigma_c + 10^{-5})` per channel.

    Args:
        rate: Samples per second; other recordings are resampled.
        length: Samples at that rate; shorter recordings get silence on both sides, longer ones lose both ends.
        channels: Channels of the wave; None averages the channels of a recording.
        mfcc: Arguments of :class:`~ccnn_geo.transforms.mfcc.MFCC`; None for waves.
        mean: Mean of each channel over the training signals; None leaves signals unchanged.
        std: Standard deviation of each channel.
        each: Use the mean and deviation of each recording instead.
        step: Keep every ``step``-th sample.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> pipeline = RecordingPipeline(rate=8000, length=4000, mfcc={"sample_rate": 8000})
        >>> pipeline((np.zeros((2, 11025), np.float32), 11025)).shape  # one second, two channels
        torch.Size([20, 41])
    """

    kind: ClassVar[str] = "recording"
    extensions: ClassVar[tuple[str, ...]] = tuple(RECORDINGS.extensions)

    rate: int = 16_000
    length: int = 16_000
    channels: int | None = None
    mfcc: Mapping[str, Any] | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    each: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        for name in ("rate", "length", "step"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"pipeline of recordings: expected {name} to be positive, got {getattr(self, name)}"
                )
        if (self.mean is None) != (self.std is None):
            raise ValueError("pipeline of recordings: expected mean and std together, got one of them")

    def read(self, source: str | PathLike[str] | Sound) -> Sound:
        """Reads samples ``[C, T]`` or ``[T]`` in [-1, 1] and their rate, from a file or a pair of both."""
        if isinstance(source, (str, PathLike)):
            wave, rate = read_recording(source)
            check_scale(wave, str(source))
            return wave, rate
        if not (isinstance(source, tuple) and len(source) == 2 and isinstance(source[1], (int, np.integer))):
            raise TypeError(
                f"predict: expected a path or a pair of samples and their rate, got {type(source).__name__}"
            )
        wave = np.atleast_2d(np.asarray(source[0], dtype=np.float32))
        if wave.ndim != 2 or wave.size == 0 or not np.isfinite(wave).all() or source[1] < 1:
            raise ValueError(
                f"predict: expected finite samples [C, T] and a positive rate, got {list(wave.shape)} at {source[1]}"
            )
        check_scale(wave, "predict")
        return wave, int(source[1])

    def __call__(self, content: Sound) -> Tensor:
        wave, rate = content
        if self.channels is None:
            wave = wave.mean(axis=0, keepdims=True)
        elif len(wave) != self.channels:
            raise ValueError(f"{len(wave)} channels, expected {self.channels} as in training")
        stored = stored_wave(resample(wave, rate, self.rate), self.length)
        if self._transform is None:
            return self._encode(stored)
        x = torch.from_numpy(stored.astype(np.float32) / FULL_SCALE)
        with torch.no_grad():
            return self._encode(self._transform(x).flatten(0, 1).numpy())

    @cached_property
    def _transform(self) -> MFCC | None:
        return None if self.mfcc is None else MFCC(**self.mfcc)

    @cached_property
    def _encode(self) -> EncodeSignal:
        moments: tuple[Tensor, Tensor] | str | None = "clip" if self.each else None
        if self.mean is not None and self.std is not None:
            moments = torch.tensor(list(self.mean)), torch.tensor(list(self.std))
        return EncodeSignal(FULL_SCALE if self.mfcc is None else 1.0, moments, self.step)


class EncodeSignal:
    r"""Turns a stored row ``[C, T]`` into a float32 signal ``[C, ceil(T / step)]``.

    .. math:: (x / s - \mu_c) / (\sigma_c + 10^{-5})

    Args:
        scale: Divisor s of stored values.
        statistics: Mean and deviation ``[C]`` of x / s; None leaves it unchanged, "clip" uses each row's own.
        step: Keep every ``step``-th sample.
    """

    def __init__(
        self, scale: float, statistics: tuple[Tensor, Tensor] | str | None = None, step: int = 1
    ) -> None:
        self.scale, self.statistics, self.step = scale, statistics, step

    def __call__(self, row: np.ndarray) -> Tensor:
        x = torch.from_numpy(row.astype(np.float32)).div_(self.scale)
        if self.statistics is not None:
            if isinstance(self.statistics, str):
                mean, std = x.mean(dim=1), x.std(dim=1, correction=0)
            else:
                mean, std = self.statistics
            x.sub_(mean[:, None]).div_(std[:, None] + EPSILON)
        return x[:, :: self.step].contiguous()


def stored_wave(wave: np.ndarray, length: int) -> np.ndarray:
    """Converts samples ``[C, T]`` in [-1, 1] to 16-bit steps ``[C, length]``; clips peaks outside."""
    steps = np.rint(fit_length(wave, length) * FULL_SCALE)
    return steps.clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def check_scale(wave: np.ndarray, name: str) -> None:
    """Rejects floating point with a full scale other than 1; a few peaks may be clipped.

    Raises:
        ValueError: If more than a tenth of the samples that are not silent lies outside [-1, 1].
    """
    loud, heard = np.count_nonzero(np.abs(wave) > 1), np.count_nonzero(wave)
    if loud > MOST_CUT * heard:
        raise ValueError(
            f"{name}: samples up to {np.abs(wave).max():.6g}, {loud / heard:.0%} of those that are not silent beyond "
            f"[-1, 1], expected floating point in this range; divide them by their full scale, such as 32768"
        )
