"""Coefficients and statistics of stored recordings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.datasets.audio.clips import CHUNK
from ccnn_geo.io.files.mapped import MappedArray, write_rows
from ccnn_geo.io.files.progress import progress
from ccnn_geo.io.files.storage import exclusive, write_atomic
from ccnn_geo.transforms.mfcc import MFCC
from ccnn_geo.transforms.pipelines.recordings import FULL_SCALE


def prepare_mfcc(waves: MappedArray, mfcc: MFCC, target: Path) -> MappedArray:
    """Computes coefficients ``[N, C n_mfcc, frames]`` float32 of all recordings, unless ``target`` exists."""

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
    """Mean and deviation ``[C]`` of each channel of some rows ``[., C, T] / scale``, stored in ``target``."""
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
