"""Network inputs from the points of a scan: centred positions, features, classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from ccnn_geo.io.scans.frames import Frame
from ccnn_geo.io.scans.point_labels import IGNORED

COORDINATES = ("x", "y", "z")
MADE = ("constant", *COORDINATES)
"""Features that are not measurements."""


def centred(xyz: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions relative to the centre of their bounding box, divided by ``unit``, and that centre.

    Shapes:
        ``xyz [N, 3]`` -> ``[N, 3]``, ``[3]``; float64, so that large coordinates keep their detail.
    """
    origin = (xyz.min(0) + xyz.max(0)) / 2
    return (xyz - origin) / unit, origin


def cells(xyz: np.ndarray, edge: float) -> np.ndarray:
    """Tile of each point, ``[N, 2]``; all frames in one coordinate system share a grid."""
    return np.floor(xyz[:, :2] / edge) + 0.0  # no -0 in names


def thin(xyz: np.ndarray, edge: float) -> np.ndarray:
    """Ascending indices of one point in each occupied cube: the one nearest to its centre.

    Shapes:
        ``xyz [N, 3]`` -> ``[M]``, M <= N.
    """
    cell = np.floor(xyz / edge)
    distance = ((xyz / edge - cell - 0.5) ** 2).sum(1)
    order = np.lexsort((distance, *cell.T))
    ordered = cell[order]
    first = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(1)])
    return np.sort(order[first])


def feature_columns(
    frame: Frame,
    keep: np.ndarray,
    pos: np.ndarray,
    features: Sequence[str],
    moments: Mapping[str, Sequence[float]],
) -> np.ndarray:
    """Features of some points, from :data:`MADE` or measured.

    Args:
        frame: The content of a file.
        keep: Indices of the points.
        pos: Positions of the points.
        features: Names of the features.
        moments: Mean and standard deviation that standardise measurements; others stay unchanged.

    Shapes:
        ``keep [N]``, ``pos [N, 3]`` -> ``[N, F]``.

    Raises:
        ValueError: If the file lacks a feature.
    """
    known = {"constant": np.ones(len(pos)), **dict(zip(COORDINATES, pos.T, strict=True))}
    known |= {field: values[keep] for field, values in frame.fields.items()}
    lacking = [feature for feature in features if feature not in known]
    if lacking:
        raise ValueError(
            f"{frame.path or 'scan'}: no {', '.join(lacking)}, the file has "
            f"{', '.join(frame.fields) or 'nothing measured'}; features may be some of {', '.join(known)}"
        )
    columns = [
        known[name] if name in MADE or name not in moments else standardise(known[name], *moments[name])
        for name in features
    ]
    return np.stack(columns, axis=1)


def standardise(values: np.ndarray, mean: float, std: float) -> np.ndarray:
    r"""Standardises a measurement, :math:`(v - mean) / std`; one that never changes is only shifted."""
    return (values - mean) / (std if std > 1e-12 * abs(mean) else 1.0)


def even_indices(num: int, points: int) -> np.ndarray:
    """Indices of ``num`` of the points, evenly spaced in their order."""
    return np.arange(num) * points // num


def class_labels(codes: np.ndarray, classes: Sequence[int] | None) -> np.ndarray:
    """Class of each point from the codes of a file, :data:`IGNORED` for other codes; the codes without classes."""
    if classes is None:
        return codes
    hit = codes[:, None] == np.array(classes)
    return np.where(hit.any(1), hit.argmax(1), IGNORED)


def class_codes(classes: Any) -> list[int]:
    """Checks the codes of the classes.

    Raises:
        ValueError: If they are not a list of different whole numbers, or one of them stands for no label.
    """
    found = [] if isinstance(classes, (str, Integral)) else list(classes)
    whole = all(isinstance(code, Integral) and not isinstance(code, bool) for code in found)
    if not whole or not found or len(set(found)) < len(found) or IGNORED in found:
        raise ValueError(
            f"lidar: expected classes to be different whole numbers, not {IGNORED} (no label), got {classes!r}"
        )
    return [int(code) for code in found]
