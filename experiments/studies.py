"""Tables and figures of the paper by name: what ``ccnn-geo reproduce`` runs."""

from __future__ import annotations

import importlib

from ccnn_geo.experiments.reproduction import Study

NAMES = ("fig6", "fig8", "fig9", "table8", "voxel_to_point")
"""Modules of this package with a ``STUDY``."""


def find_study(name: str) -> Study:
    """The study of a name.

    Raises:
        ValueError: For an unknown name.
    """
    if name not in NAMES:
        raise ValueError(f"reproduce: expected one of {', '.join(NAMES)}, got {name!r}")
    return importlib.import_module(f"ccnn_geo.experiments.{name}").STUDY
