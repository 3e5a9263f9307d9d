"""The report on trainings with equal budgets: a table each, curves against time, and a dot per training."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from ccnn_geo.experiments.engine.reproduction import Numbers, mean_and_deviation
from ccnn_geo.visualization.canvas import canvas, save
from ccnn_geo.visualization.style import color_of, in_style, legend_right

Runs = Mapping[str, Sequence[Numbers]]
"""Trainings of each method, seed by seed."""


def peer_report(
    found: Mapping[str, Runs], titles: Mapping[str, str], ours: Sequence[str], folder: Path
) -> str:
    """Writes the tables, and draws the pictures into a folder.

    Args:
        found: The numbers of ``budget_training`` by the name of the budget.
        titles: Titles of the methods.
        ours: The methods to choose the reference from, the best of them.
        folder: Folder for ``dots.png`` and ``curves.png``.
    """
    parts = [
        "Accuracy in percent on the validation set after the last epoch, mean over seeds, each with its own set. "
        "Minutes are those of training; on a CPU, of the processor. The last column is the mean over seeds of the "
        "difference to the best CCNN of the table, with its standard error."
    ]
    parts += [_table(budget, runs, titles, ours) for budget, runs in found.items()]
    _draw_dots(found, titles, folder / "dots.png")
    _draw_curves(found, titles, folder / "curves.png")
    parts += ["![Validation accuracy of each training](dots.png)", "![Validation accuracy](curves.png)"]
    return "\n\n".join(parts)


def best_of(runs: Runs, names: Sequence[str]) -> str:
    """The name with the highest mean accuracy; the first among equals."""
    return max(names, key=lambda name: statistics.fmean(n["accuracy"] for n in runs[name]))


def paired(runs: Sequence[Numbers], reference: Sequence[Numbers]) -> str:
    """Mean difference of accuracies seed by seed, with its standard error if there are several."""
    values = [a["accuracy"] - b["accuracy"] for a, b in zip(runs, reference, strict=True)]
    mean = f"{statistics.fmean(values):+.1f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values) / len(values) ** 0.5:.1f}"


def _table(budget: str, runs: Runs, titles: Mapping[str, str], ours: Sequence[str]) -> str:
    best = best_of(runs, ours)
    lines = [
        f"## {budget} each",
        "",
        f"| | parameters | epochs | minutes | training | validation | to {titles[best]} |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, title in titles.items():
        of = runs[name]
        cells = [
            title,
            f"{of[0]['parameters']:,}",
            _range([n["epochs"] for n in of]),
            f"{statistics.fmean(n['seconds'][-1] for n in of) / 60:.2f}",
            mean_and_deviation([n["training"] for n in of]),
            mean_and_deviation([n["accuracy"] for n in of]),
            "" if name == best else paired(of, runs[best]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


@in_style()
def _draw_dots(found: Mapping[str, Runs], titles: Mapping[str, str], path: Path) -> None:
    """Draws a row per method, a dot per seed, a bar at the mean."""
    figure = canvas(11, 0.8 + 0.42 * len(titles))
    panels = figure.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (budget, runs) in zip(panels, found.items(), strict=True):
        for row, name in enumerate(titles):
            values = [n["accuracy"] for n in runs[name]]
            axes.plot(values, [row] * len(values), "o", color=color_of(row), ms=6, alpha=0.7)
            axes.plot([statistics.fmean(values)], [row], "|", color="black", ms=14, mew=1.6)
        axes.set(xlabel="validation accuracy (%)", title=f"{budget} each")
        axes.set_yticks(range(len(titles)), titles.values())
        axes.set_ylim(len(titles) - 0.5, -0.5)
        axes.grid(True)
    save(figure, path)


@in_style()
def _draw_curves(found: Mapping[str, Runs], titles: Mapping[str, str], path: Path) -> None:
    """Draws validation accuracy against minutes of training; a line per seed, a colour per method."""
    figure = canvas(11, 4.5)
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for axes, (budget, runs) in zip(panels, found.items(), strict=True):
        for i, (name, title) in enumerate(titles.items()):
            for j, run in enumerate(runs[name]):
                minutes = [run["seconds"][epoch - 1] / 60 for epoch in run["validated"]]
                label = title if j == 0 else None
                axes.plot(minutes, run["curve"], color=color_of(i), alpha=0.9 - 0.4 * (j > 0), label=label)
        axes.set(xlabel="minutes", title=f"{budget} each")
        axes.grid(True)
    panels[0].set_ylabel("validation accuracy (%)")
    legend_right(panels[-1])
    save(figure, path)
