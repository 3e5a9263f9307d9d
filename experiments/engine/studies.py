"""Tables and figures of the paper by name, for ``ccnn-geo reproduce``."""

from __future__ import annotations

import importlib

from ccnn_geo._base.extras import EXTRAS, require
from ccnn_geo._base.nearest import did_you_mean
from ccnn_geo.cli.terminal import OneLineParser, print_entries
from ccnn_geo.experiments.engine.reproduction import Study
from ccnn_geo.experiments.engine.reproduction import main as run

NAMES = (
    *("table1", "table2", "table8", "fig6", "fig8", "fig9", "fig12"),
    *("voxel_to_point", "resolution", "pathfinder_2d", "smnist_s4", "joint"),
    *("defaults", "bandlimit", "recipe", "thinned", "point_peers", "peer_rates", "precision"),
    *("fine_tuning", "without_normals", "unseen_kinds", "fig8_unseen", "grids_to_meshes"),
    *("lidar_objects", "vertices33", "labelled_parts"),
)
"""Modules of this package with a ``STUDY``."""

EFFICIENCY = {
    "table5": "time of whole networks against the length of sequences",
    "table6": "time of a layer beside S4 and LSSL",
    "table7": "memory of a layer beside S4 and LSSL",
    "efficiency_points": "time and memory on points, beside PyG's layers; no table of the paper",
}
"""Measurements, which have their own options."""


def find_study(name: str) -> Study:
    """Returns the study with a name.

    Raises:
        ValueError: For an unknown name.
    """
    if name not in NAMES:
        known = ", ".join((*NAMES, *EFFICIENCY))
        raise ValueError(
            f"reproduce: expected one of {known}, got {name!r}{did_you_mean(name, (*NAMES, *EFFICIENCY))}"
        )
    return importlib.import_module(f"ccnn_geo.experiments.studies.{name}").STUDY


def main(arguments: list[str]) -> None:
    """Runs the study or measurement named by the first argument; without arguments, lists them."""
    require("all", "reproduce", *EXTRAS["train"], "matplotlib")  # pictures come last, after hours
    if not arguments or arguments[0] in ("-h", "--help"):
        print_entries([*((name, find_study(name).title) for name in NAMES), *EFFICIENCY.items()])
        print("\nccnn-geo reproduce NAME --help lists the options of a study.")
        return
    if arguments[0] in EFFICIENCY:
        importlib.import_module(f"ccnn_geo.experiments.benchmarks.{arguments[0]}").main(arguments[1:])
        return
    run(find_study(arguments[0]), arguments[1:], OneLineParser)
