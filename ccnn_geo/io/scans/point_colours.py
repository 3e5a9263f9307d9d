"""Scales colours of points to [0, 1], however a file stores them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

PACKED = ("rgb", "rgba")
"""Columns that pack a whole colour, as the Point Cloud Library names them."""

CHANNELS = ("red", "green", "blue", "alpha")
_SHORT = ("r", "g", "b", "a")
_SCALED = ("intensity", *CHANNELS, *(f"diffuse_{channel}" for channel in CHANNELS))


_16_BITS = 65535
"""Intensities have 16 bits at most (LAS), even in columns of 32 and 64 bits, which numpy makes from whole numbers."""


def unit_colours(columns: Mapping[str, np.ndarray], largest: int | None = None) -> dict[str, np.ndarray]:
    """Divides integer colours and intensities by the largest value of their type.

    Intensities in columns of 32 and 64 bits have 16 bits, as in LAS. Colours in wider columns have 8 bits if none is
    above 255, as in :func:`unit_rgb16`, and 16 bits if none is above 65,535.

    Args:
        columns: Columns by name.
        largest: Largest colour of the file, see :func:`largest_colour`, if the columns are a part; None if they are
            all.

    A packed colour becomes ``red``, ``green``, ``blue`` and, for ``rgba``, ``alpha``: bytes 2, 1, 0 and 3 of 32 bits,
    which ``rgb`` stores unchanged in a float.

    Example:
        >>> unit_colours({"rgb": np.array([0xFF8000], np.uint32)})["green"].round(2).tolist()
        [0.5]

    Source: https://pointclouds.org/documentation/structpcl_1_1_point_x_y_z_r_g_b.html
    """
    found: dict[str, np.ndarray] = {}
    scaled = scaled_columns({name: values.dtype for name, values in columns.items()})
    if largest is None:
        largest = largest_colour(columns)
    for name, values in columns.items():
        if name.lower() in PACKED and not set(CHANNELS) & set(columns):
            bits = _bits(values)
            for channel, shift in zip(CHANNELS[: len(name)], (16, 8, 0, 24), strict=False):
                found[channel] = (bits >> shift & 255) / 255
        elif name in scaled:
            found[name] = values / _unit(values.dtype, None if name.lower() == "intensity" else largest)
        else:
            found[name] = values
    return found


def _unit(kind: np.dtype, largest: int | None) -> int:
    """The value that stands for 1 in a column: for colours from the largest, for intensities from the type."""
    most = int(np.iinfo(kind).max)
    if largest is None:
        return min(most, _16_BITS)
    return next((bits for bits in (255, _16_BITS) if largest <= bits <= most), most)


def scaled_columns(types: Mapping[str, np.dtype]) -> set[str]:
    """The columns to scale: integer colours and intensities."""
    names = {*_SCALED, *(_SHORT if set(_SHORT[:3]) <= {name.lower() for name in types} else ())}
    return {name for name, kind in types.items() if name.lower() in names and kind.kind in "iu"}


def largest_colour(columns: Mapping[str, np.ndarray]) -> int:
    """The largest of all scaled colours, which reveals their number of bits."""
    names = scaled_columns({name: values.dtype for name, values in columns.items()})
    colours = (columns[name] for name in names if name.lower() != "intensity")
    return max((int(values.max(initial=0)) for values in colours), default=0)


def unit_rgb16(rgb: np.ndarray, largest: int | None = None) -> np.ndarray:
    """Scales colours of 16 bits to [0, 1]; if none is above 255, only 8 of the bits are used.

    The standard asks for 16 bits, but many programs write 8. A single colour does not show which; all colours of a
    file do.

    Args:
        rgb: The colours.
        largest: Largest colour of the file, if these are a part; None if they are all.

    Shapes:
        ``rgb [N, 3]`` uint16 -> float64

    Source: ASPRS, LAS Specification 1.4 - R15, note on RGB.
    """
    largest = int(rgb.max(initial=0)) if largest is None else largest
    return rgb / (255 if largest <= 255 else _16_BITS)


def _bits(values: np.ndarray) -> np.ndarray:
    """The 32 bits of each colour; numbers in text are doubles that stand for floats."""
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(np.float32, copy=False).view(np.uint32)
    return values.astype(np.int64) & 0xFFFFFFFF
