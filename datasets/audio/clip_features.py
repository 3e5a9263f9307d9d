"""What is computed of stored recordings: coefficients, statistics, and the signal that a network gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.datasets.audio.clips import CHUNK, FULL_SCALE
from ccnn_geo.io.files.mapped import MappedArray, write_rows
from ccnn_geo.io.files.progress import progress
from ccnn_geo.io.files.storage import exclusive, write_atomic
from ccnn_geo.transforms.mfcc import MFCC

EPSILON = 1e-5
"""Added to the deviation: a channel that never changes becomes 0."""


def prepare_mfcc(waves: MappedArray, mfcc: MFCC, target: Path) -> MappedArray:
    """Coefficients ``[N, C n_mfcc, frames]`` float32 of all recordings, computed unless ``target`` is there."""

    @torch.no_grad()
    def coefficients(waves: np.ndarray) -> np.ndarray:
        return mfcc(torch.from_numpy(waves.astype(np.float32) / FULL_SCALE)).flatten(1, 2).numpy()

    def chunks() -> Iterator[np.ndarray]:
        for start in progress(range(0, len(waves), CHUNK), title="MFCC"):
            yield coefficients(waves[start : start + CHUNK])

    with exclusive(target.parent, target.name):
        if not target.exists():
            write_rows(target, np.float32, (len(waves), *coefficients(waves[:1]).shape[1:]), chunks())
    return MappedArray(target)


def statistics(values: MappedArray, rows: np.ndarray, scale: float, target: Path) -> tuple[Tensor, Tensor]:
    """Mean and deviation ``[C]`` of each channel of some rows ``[., C, T] / scale``, kept in ``target``."""
    with exclusive(target.parent, target.name):
        if not target.exists():
            total, squares = np.zeros(values.shape[1]), np.zeros(values.shape[1])
            for start in range(0, len(rows), CHUNK):
                part = values[rows[start : start + CHUNK]].astype(np.float64) / scale
                total, squares = total + part.sum((0, 2)), squares + np.square(part).sum((0, 2))
            mean = total / (len(rows) * values.shape[2])
            std = np.sqrt(np.maximum(squares / (len(rows) * values.shape[2]) - mean**2, 0))
            found = {"rows": len(rows), "mean": mean.tolist(), "std": std.tolist()}
            write_atomic(target, lambda file: file.write(json.dumps(found).encode()))
        found = json.loads(target.read_text())
    return torch.tensor(found["mean"]), torch.tensor(found["std"])


class EncodeSignal:
    r"""A stored row ``[C, T]`` as a float32 signal ``[C, ceil(T / step)]``.

    .. math:: (x / s - \mu_c) / (\sigma_c + 10^{-5})

    Args:
        scale: The s that stored values are divided by.
        statistics: Mean and deviation ``[C]`` of x / s; None leaves it as it is, "clip" takes those of each row itself.
        step: Every ``step``-th sample is kept.
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
