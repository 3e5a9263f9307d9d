"""Detects measurements of a scan that differ from those of the training, such as intensities of another sensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ccnn_geo.export.scenes.kept import KeptPoints

FAR = 10.0
"""Distance of a scan's median from the training's mean that causes a warning, in standard deviations."""
_PLACES, _ROWS = 16, 4096


def other_scale(kept: KeptPoints, moments: Mapping[str, Sequence[float]]) -> str | None:
    """A line that names the measurements of a scan with a median far from the training's mean; None if there are none.

    The median is taken over some points from all over the scene.

    Args:
        kept: Points of the scan.
        moments: Mean and deviation of each measurement in the training.
    """
    if not kept.names:
        return None
    starts = np.linspace(0, max(0, kept.num_rows - _ROWS), _PLACES).astype(int)
    some = np.concatenate(
        [kept.rows[start : start + _ROWS]["fields"] for start in np.unique(starts).tolist()]
    )
    told = []
    for name, median in zip(kept.names, np.median(some, axis=0).tolist(), strict=True):
        mean, std = moments.get(name, (median, 1.0))
        if abs(median - mean) > FAR * std > 0:
            told.append(f"{name} is about {median:.3g}, in training {mean:.3g} ± {std:.2g}")
    if not told:
        return None
    return (
        f"{kept.path or 'scan'}: {'; '.join(told)}; predictions mean little if these have a different scale"
    )
