"""Colours of points on [0, 1], whatever a file stores them as."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

PACKED = ("rgb", "rgba")
"""Names of columns that hold a whole colour, as the Point Cloud Library writes them."""

CHANNELS = ("red", "green", "blue", "alpha")
_SHORT = ("r", "g", "b", "a")
_SCALED = ("intensity", *CHANNELS, *(f"diffuse_{channel}" for channel in CHANNELS))


def unit_colours(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns of a cloud, with colours and intensities that are integers divided by the largest of their type.

    Colours in wider columns of which none is above 255 are those of 8 bits, as in :func:`unit_rgb16`.

    A packed colour becomes ``red``, ``green``, ``blue`` and, of ``rgba``, ``alpha``: bytes 2, 1, 0 and 3 of 32 bits,
    which ``rgb`` stores as they are in a float.

    Example:
        >>> unit_colours({"rgb": np.array([0xFF8000], np.uint32)})["green"].round(2).tolist()
        [0.5]

    Source: https://pointclouds.org/documentation/structpcl_1_1_point_x_y_z_r_g_b.html
    """
    found: dict[str, np.ndarray] = {}
    scaled = {*_SCALED, *(_SHORT if set(_SHORT[:3]) <= {name.lower() for name in columns} else ())}
    scaled = {n for n, v in columns.items() if n.lower() in scaled and v.dtype.kind in "iu"}
    colours = [columns[name] for name in scaled if name.lower() != "intensity"]
    of_bytes = max((int(v.max(initial=0)) for v in colours), default=0) <= 255
    for name, values in columns.items():
        if name.lower() in PACKED and not set(CHANNELS) & set(columns):
            bits = _bits(values)
            for channel, shift in zip(CHANNELS[: len(name)], (16, 8, 0, 24), strict=False):
                found[channel] = (bits >> shift & 255) / 255
        elif name in scaled:
            largest = np.iinfo(values.dtype).max
            found[name] = values / (
                min(largest, 255) if of_bytes and name.lower() != "intensity" else largest
            )
        else:
            found[name] = values
    return found


def unit_rgb16(rgb: np.ndarray, largest: int | None = None) -> np.ndarray:
    """Colours of 16 bits on [0, 1]; where none is above 255, 8 of the bits are all that was filled.

    The standard asks for 16 bits, and many programs write 8. One colour alone does not say which: those of a file do.

    Args:
        rgb: The colours.
        largest: Of all colours of the file, if these are a part; None if they are all.

    Shapes:
        ``rgb [N, 3]`` uint16 -> float64

    Source: ASPRS, LAS Specification 1.4 - R15, note on RGB.
    """
    largest = int(rgb.max(initial=0)) if largest is None else largest
    return rgb / (255 if largest <= 255 else 65535)


def _bits(values: np.ndarray) -> np.ndarray:
    """The 32 bits of each colour; numbers of a text are doubles, which stand for floats."""
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(np.float32, copy=False).view(np.uint32)
    return values.astype(np.int64) & 0xFFFFFFFF
