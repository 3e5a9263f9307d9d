"""The k smallest of each row, in order, ties by column: the main cost of a neighbour search.

``numpy.argsort`` takes 4 times as long (``ccnn_geo.experiments.benchmarks.bench_neighbors``). We pack value and column
into one integer: the bits of a float64 >= 0 order as an integer, and the lowest bits are replaced by the column. These
keys are distinct and need no permutation, so numpy's vectorised partition and sort apply. The lost bits can hide that
two values differ; rows where that matters are ordered again by their full values.
"""

import numpy as np
import torch
from torch import Tensor

from ccnn_geo.neighbors.topk import smallest_columns


def smallest(values: Tensor, k: int) -> Tensor:
    """Columns of the ``k`` smallest entries of each row, ordered by value, ties by column.

    Args:
        values: float64, zero or positive; NaN (on the CPU at most one per row) comes after everything.
        k: number of entries to take, at most those of a row that are not NaN.

    Shapes:
        - ``values``: ``[..., n]``; result: ``[..., k]``, int64
    """
    if values.device.type == "cpu":
        return torch.from_numpy(_smallest_on_host(values.numpy(), k))
    return smallest_columns(values, k)


def _smallest_on_host(values: np.ndarray, k: int) -> np.ndarray:
    n = values.shape[-1]
    if k == 0 or values.size == 0:
        return np.empty((*values.shape[:-1], k), dtype=np.int64)
    rows = np.ascontiguousarray(values).reshape(-1, n)
    keys, top, mask = _smallest_keys(rows, k)
    columns = top[:, :k] & mask
    alike = ((top[:, 1:] ^ top[:, :-1]) <= mask).any(axis=1)
    if alike.any():
        alike = np.flatnonzero(alike)
        wrong = alike[_misled(rows[alike], keys[alike], top[alike], k, mask)]
        columns[wrong] = _smallest_by_threshold(rows[wrong], k)
    return columns.reshape(*values.shape[:-1], k)


def _smallest_keys(rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Keys of each row, ``[R, n]`` in any order; the smallest in order, ``[R, min(k + 1, n)]``; the column's bits.

    Takes one extra key: the next neighbour shows whether the last place is contested.
    """
    n = rows.shape[1]
    mask = (1 << (n - 1).bit_length()) - 1
    keys = rows.view(np.int64) & ~mask
    keys |= np.arange(n)
    taken = min(k + 1, n)
    if 4 * k >= 3 * n:
        keys.sort(axis=1)
        return keys, keys[:, :taken], mask
    keys.partition(taken - 1, axis=1)
    top = keys[:, :taken].copy()
    top.sort(axis=1)
    return keys, top, mask


def _misled(rows: np.ndarray, keys: np.ndarray, top: np.ndarray, k: int, mask: int) -> np.ndarray:
    """Whether the order of a row's first k keys may differ from the order of its values."""
    found = np.take_along_axis(rows, top & mask, axis=1)
    same = (top[:, 1:] ^ top[:, :-1]) <= mask
    wrong = (same & (found[:, 1:] != found[:, :-1])).any(axis=1)
    if top.shape[1] > k:
        # any keys equal to the last one taken may hide smaller values
        contested = np.flatnonzero(same[:, k - 1])
        keys, last = keys[contested], slice(k - 1, k)
        values = np.take_along_axis(rows[contested], keys & mask, axis=1)
        alike = (keys ^ top[contested, last]) <= mask
        wrong[contested] |= (alike & (values != found[contested, last])).any(axis=1)
    return wrong


def _smallest_by_threshold(rows: np.ndarray, k: int) -> np.ndarray:
    """Takes all entries below the k-th value and the first ones equal to it, then orders them: exact on full values."""
    if not rows.size:
        return np.empty((0, k), dtype=np.int64)
    kth = np.partition(rows, k - 1, axis=1)[:, k - 1 : k]
    below, equal = rows < kth, rows == kth
    keep = below | (equal & (equal.cumsum(axis=1) <= k - below.sum(axis=1, keepdims=True)))
    columns = keep.nonzero()[1].reshape(-1, k)
    order = np.take_along_axis(rows, columns, axis=1).argsort(axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)
