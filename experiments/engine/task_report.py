"""Table and pictures of a study of many tasks, with the paper's results beside ours."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ccnn_geo.experiments.engine.reproduction import Numbers, mean_and_deviation
from ccnn_geo.experiments.engine.training_study import draw_curves
from ccnn_geo.visualization.canvas import canvas, save
from ccnn_geo.visualization.style import color_of, in_style, legend_right

HEAD = (
    *("task", "network", "data", "parameters", "chance", "validation", "test", "minutes"),
    *("paper, CCNN-4,140", "paper, CCNN-6,380", "the paper's best other"),
)
SIZES = {"4,140": "ccnn_4_140", "6,380": "ccnn_6_380"}
"""The paper's networks and the names of their configurations."""


class Average(NamedTuple):
    """The average over some tasks, with the paper's values for both sizes."""

    names: Sequence[str]
    paper: tuple[float, float]


@dataclass(frozen=True)
class Row:
    """Results of a task: ``found``, the numbers of each seed, have its test accuracy as ``measured``."""

    name: str
    size: str
    data: str
    classes: int
    paper: tuple[float, float]
    peer: tuple[str, float] | None
    found: Sequence[Numbers]
    measured: str

    @property
    def test(self) -> list[float]:
        """Test accuracies of all seeds; empty without a test set."""
        return [n[self.measured] for n in self.found if self.measured in n]

    @property
    def is_trained(self) -> bool:
        """Whether the network was trained on this task."""
        return self.measured == "test"

    @property
    def label(self) -> str:
        return f"{self.name} {self.size}".strip()

    def cells(self) -> list[str]:
        """Cells in the order of :data:`HEAD`."""
        own = self.is_trained
        return [
            self.name,
            self.size,
            self.data,
            f"{self.found[0]['parameters']:,}",
            f"{100 / self.classes:.1f}",
            mean_and_deviation([n["accuracy"] for n in self.found]) if own else "",
            mean_and_deviation(self.test) if self.test else "no test set here",
            f"{statistics.fmean(n['seconds'][-1] for n in self.found) / 60:.1f}" if own else "",
            *(
                f"{v:.2f}" if self.size in ("", size) else ""
                for size, v in zip(SIZES, self.paper, strict=True)
            ),
            f"{self.peer[1]:.2f} ({self.peer[0]})" if self.peer else "",
        ]


def write_report(rows: Sequence[Row], average: Average | None, folder: Path) -> list[str]:
    """Draws the pictures into a folder and returns the lines of the report.

    Args:
        rows: All rows.
        average: The paper's average over some tasks; shown if all of them are there.
        folder: Folder for ``accuracy.png`` and ``curves.png``.
    """
    shown = [row.cells() for row in rows]
    if average is not None:
        shown += filter(None, (_average(rows, average, size) for size in dict.fromkeys(r.size for r in rows)))
    kept = [i for i in range(len(HEAD)) if any(row[i] for row in shown)]
    lines = [
        "Accuracy in percent after the last epoch; the paper's figures are for test sets.",
        "",
        *(f"| {' | '.join(row[i] for i in kept)} |" for row in (HEAD, ["---"] * len(HEAD), *shown)),
        "",
    ]
    draw_bars(rows, folder / "accuracy.png")
    draw_curves({row.label: row.found for row in rows if row.is_trained}, folder / "curves.png")
    return [
        *lines,
        "![Accuracy, ours and the paper's](accuracy.png)",
        "",
        "![Validation accuracy](curves.png)",
    ]


def _average(rows: Sequence[Row], average: Average, size: str) -> list[str]:
    """Averages test accuracies, or validation accuracies for tasks without a test; empty unless all tasks are there."""
    of = {row.name: row for row in rows if row.size == size and row.name in average.names}
    if len(of) < len(average.names):
        return []
    seeds = zip(*(row.test or [n["accuracy"] for n in row.found] for row in of.values()), strict=True)
    paper = [f"{v:.2f}" if size in ("", s) else "" for s, v in zip(SIZES, average.paper, strict=True)]
    ours = mean_and_deviation([statistics.fmean(values) for values in seeds])
    name = "average of " + ", ".join(average.names)
    if untested := [row.name for row in of.values() if not row.test]:
        name += f" ({', '.join(untested)}: validation)"
    return [name, size, "", "", "", "", ours, "", *paper, ""]


@in_style()
def draw_bars(rows: Sequence[Row], path: Path) -> None:
    """Draws our test or else validation accuracy, the paper's (at small scale that of CCNN-4,140), and chance."""
    figure = canvas(max(6, 0.9 * len(rows) + 1), 4)
    axes = figure.subplots()
    for i, row in enumerate(rows):
        ours = row.test or [n["accuracy"] for n in row.found]
        first = i == 0
        axes.bar(i - 0.2, statistics.fmean(ours), 0.38, color=color_of(0), label="ours" if first else None)
        axes.bar(
            i + 0.2, row.paper[row.size == "6,380"], 0.38, color="0.75", label="the paper" if first else None
        )
        axes.plot([i - 0.2] * len(ours), ours, "k.", ms=4)
        chance = 100 / row.classes
        axes.plot(
            [i - 0.4, i + 0.4], [chance, chance], color=color_of(1), lw=1.2, label="chance" if first else None
        )
    axes.set_xticks(range(len(rows)), [row.label for row in rows], rotation=30, ha="right")
    axes.set(ylabel="accuracy (%)", ylim=(0, 100))
    legend_right(axes)
    save(figure, path)
