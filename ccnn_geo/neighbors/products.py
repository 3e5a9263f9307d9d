r"""Neighbours of one cloud by a matrix product, where rounding cannot have changed their order.

.. math:: |p_i - p_j|^2 = |q_i|^2 + |q_j|^2 - 2 \, q_i \cdot q_j, \quad q = p - p_0

costs a fifth of the differences, and differs from what they give by no more than ``tau``. Where all gaps are wider than
what rounding can close, the order is that of the definition; all else is left to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccnn_geo.neighbors.select import smallest_keys

# Squares of coordinates beyond overflow or vanish.
_LARGEST, _SMALLEST = 1e100, 1e-100
# OpenBLAS starts threads for larger products, beside those that search.
_LARGEST_PRODUCT = 1 << 18
_FAR_AWAY = 1e300
_UNIT = 2.0**-53


@dataclass(frozen=True)
class Products:
    """Factors of the squared distances between targets and sources, and the gap that makes an order certain."""

    dst: np.ndarray
    src: np.ndarray
    gap: float
    loop: bool

    @classmethod
    def of(cls, src: np.ndarray, dst: np.ndarray, loop: bool) -> Products | None:
        """Those of a cloud ``[D, N]`` and targets ``[D, M]``; none if there is no scale to round by."""
        dim, num = src.shape
        with np.errstate(over="ignore"):
            src, dst = src - src[:, :1], dst - src[:, :1]
            src_square, dst_square = (src * src).sum(axis=0), (dst * dst).sum(axis=0)
            largest = max(src_square.max(), dst_square.max())
        if not _SMALLEST < largest < _LARGEST:
            return None
        # In units of |q|^2 u: the shift of the origin 8, squares 2 (D + 1), the product 4.1 (D + 2), the differences
        # of the definition 4 (D + 2), in all less than 11 D + 28; the rest is slack.
        tau = 16 * (dim + 4) * _UNIT * largest
        # What the column in the last bits changes.
        kappa = 2 * (1 << (num - 1).bit_length()) * _UNIT * 5 * largest
        # Not negative: bits then order as integers.
        a = np.stack([*(-2 * dst), dst_square + 2 * tau, np.ones_like(dst_square)], axis=1)
        b = np.stack([*src, np.ones_like(src_square), src_square])
        return cls(a, b, 2 * (tau + kappa), loop)

    def nearest(self, rows: slice, k: int) -> tuple[np.ndarray, bool]:
        """Sources of the targets ``rows``, ``[R, k]``, and whether their order is certain."""
        factors, num = self.dst[rows], self.src.shape[1]
        d2 = np.empty((len(factors), num))
        step = max(1, _LARGEST_PRODUCT // self.src.size)
        for start in range(0, len(factors), step):
            part = slice(start, start + step)
            np.matmul(factors[part], self.src, out=d2[part])
        if not self.loop:
            itself = np.arange(len(factors))
            d2[itself, rows.start + itself] = _FAR_AWAY
        _, top, mask = smallest_keys(d2, k)
        near = top.view(np.float64)
        certain = bool(((near[:, 1:] - near[:, :-1]) > self.gap).all())
        return top[:, :k] & mask, certain
