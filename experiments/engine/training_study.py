"""A study that is a table of trainings: accuracy after the last epoch, over seeds, and training curves."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, mean_and_deviation
from ccnn_geo.experiments.engine.training_job import test, train
from ccnn_geo.visualization.canvas import canvas, save
from ccnn_geo.visualization.style import color_of, in_style, legend_below


@dataclass(frozen=True)
class Row:
    """A training: a configuration, its changes at small scale (None: left out) and at any, the paper's accuracy."""

    name: str
    config: str
    small: Mapping[str, Any] | None = field(default_factory=dict)
    small_config: str = ""
    paper: float | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


def training_study(
    name: str,
    title: str,
    source: str,
    rows: Sequence[Row],
    data: str,
    seeds: int = 1,
    shared: Mapping[str, Any] | None = None,
    note: str = "",
    tested: bool = True,
    reference: str | None = None,
) -> Study:
    """Makes a study with one training per row and seed.

    Args:
        name: Name of the command.
        title: Subject of the study.
        source: Place in the paper.
        rows: The trainings.
        data: Required content of ``--root``.
        seeds: Default number of seeds.
        shared: Options of all rows at small scale.
        note: Text above the table.
        tested: Whether the data of the small scale has a test set; the paper's data has one.
        reference: Row that the others are compared with, seed by seed.
    """

    def run(row: Row, options: Options, seed: int, folder: Path) -> Numbers:
        small = options.scale == "small"
        config = row.small_config if small and row.small_config else row.config
        changes = {**(shared or {}), **(row.small or {}), **row.changes} if small else row.changes
        found = train(folder, config, seed, **changes, data__root=str(options.root))
        return {**found, "test": test(folder)} if tested or not small else found

    def rows_at(options: Options) -> list[Row]:
        return [row for row in rows if options.scale == "paper" or row.small is not None]

    def jobs(options: Options) -> list[Job]:
        return [
            Job(f"{file_name(row.name)}-{seed}", partial(run, row, options, seed))
            for seed in options.seeds  # one seed for all rows is worth more than all seeds for one row
            for row in rows_at(options)
        ]

    def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
        found = {
            row.name: [numbers[f"{file_name(row.name)}-{s}"] for s in options.seeds]
            for row in rows_at(options)
        }
        draw_curves(found, folder / "curves.png")
        versus = f" against {reference} |" if reference else ""
        lines = [note, ""] if note else []
        lines += [
            "Accuracy in percent after the last epoch; the paper's figure is for the test set.",
            "",
            f"| | parameters | training | validation |{versus} test | the paper | minutes |",
            f"|---|---|---|---|{'---|' * bool(versus)}---|---|---|",
        ]
        for row in rows_at(options):
            of = found[row.name]
            cells = [
                row.name,
                f"{of[0]['parameters']:,}",
                mean_and_deviation([n["training_curve"][-1] for n in of]),
                mean_and_deviation([n["accuracy"] for n in of]),
                *([_difference(of, found[reference])] if reference else []),
                mean_and_deviation([n["test"] for n in of]) if "test" in of[0] else "none here",
                "" if row.paper is None else f"{row.paper:.2f}",
                f"{statistics.fmean(n['seconds'][-1] for n in of) / 60:.1f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join([*lines, "", "![Validation accuracy](curves.png)"])

    return Study(name, title, source, jobs, report, data, seeds)


def _difference(of: Sequence[Numbers], reference: Sequence[Numbers]) -> str:
    if of is reference:
        return ""
    return mean_and_deviation([a["accuracy"] - b["accuracy"] for a, b in zip(of, reference, strict=True)])


def file_name(name: str) -> str:
    """Letters, digits, dots and dashes only."""
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in name)


@in_style()
def draw_curves(found: Mapping[str, Sequence[Numbers]], path: Path) -> None:
    """Draws validation accuracy after each epoch, by epochs and by minutes; a line per seed, a colour per row."""
    figure = canvas(10, 4)
    by_epoch, by_time = figure.subplots(1, 2, sharey=True)
    for i, (name, runs) in enumerate(found.items()):
        for j, run in enumerate(runs):
            style = {"color": color_of(i), "alpha": 0.9 if j == 0 else 0.5}
            by_epoch.plot(
                range(1, len(run["curve"]) + 1), run["curve"], label=name if j == 0 else None, **style
            )
            by_time.plot([s / 60 for s in run["seconds"]], run["curve"], **style)
    by_epoch.set(xlabel="epochs", ylabel="validation accuracy (%)")
    by_time.set(xlabel="minutes")
    for axes in (by_epoch, by_time):
        axes.grid(True)
    legend_below(by_epoch, 2)
    save(figure, path)
