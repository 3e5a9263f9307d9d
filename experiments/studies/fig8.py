"""Fig. 8 of the paper: parameters against accuracy on shapes.

python -m ccnn_geo.experiments.studies.fig8 --root FOLDER  # <split>/<class>/<file>, as psb_folder writes it
python -m ccnn_geo.experiments.studies.fig8 --scale paper --root FOLDER        # ModelNet40
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ccnn_geo.experiments.engine.reproduction import Numbers, Options, main
from ccnn_geo.experiments.engine.training_study import Row, training_study
from ccnn_geo.visualization.canvas import canvas, save
from ccnn_geo.visualization.style import PALETTE, in_style, legend_below

PAPER = {"ccnn_4_16": None, "ccnn_4_32": None, "ccnn_4_48": None, "ccnn_4_140": 84.44, "ccnn_6_380": 85.70}
"""The figure has no numbers beside its dots; Table 1 has those of the two large networks."""
RECIPES = {
    "small": "modelnet40/ccnn_4_140_bandlimited",
    "paper": "modelnet40/{}_paper",
}
SHARED = {
    "data__dataset": "folder",
    "data__num_points": 256,
    "model__num_neighbors": 16,
    "trainer__max_epochs": 30,
}

_TABLE = training_study(
    "fig8",
    "parameters against accuracy",
    "Fig. 8 and appendix C.2 of the paper.",
    [
        Row(size, RECIPES["paper"].format(size), small, RECIPES["small"], paper)
        for size, paper in PAPER.items()
        for small in ({"model__preset": size} if size != "ccnn_6_380" else None,)
    ],
    "<split>/<class>/<file> with a validation split (small), or where ModelNet40 is (paper)",
    seeds=3,
    shared=SHARED,
    tested=False,
    note="Small scale: the band-limited recipe (docs/bandlimit.md) for all sizes, 256 points, 16 neighbours.",
)


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes the table of trainings, and draws the figure."""
    by_size: dict[int, list[Numbers]] = {}
    for found in numbers.values():
        by_size.setdefault(found["parameters"], []).append(found)
    _draw(by_size, folder / "sizes.png")
    return f"{_TABLE.report(numbers, options, folder)}\n\n![Parameters against accuracy](sizes.png)"


@in_style()
def _draw(by_size: Mapping[int, list[Numbers]], path: Path) -> None:
    figure = canvas(6, 4)
    axes = figure.subplots()
    sizes = sorted(by_size)
    for label, color, value in (
        ("validation", PALETTE[0], lambda n: n["accuracy"]),
        ("training", "#bbbbbb", lambda n: n["training_curve"][-1]),
    ):
        values = [[value(n) for n in by_size[size]] for size in sizes]
        axes.plot(sizes, [statistics.fmean(v) for v in values], color=color, label=label)
        for size, several in zip(sizes, values, strict=True):
            axes.plot([size] * len(several), several, "o", color=color, ms=5, alpha=0.7)
    axes.set(xscale="log", xlabel="parameters", ylabel="accuracy after the last epoch (%)")
    axes.grid(True)
    legend_below(axes)
    save(figure, path)


STUDY = replace(_TABLE, report=report)

if __name__ == "__main__":
    main(STUDY)
