"""Tables and pictures of ``table5``, ``table6`` and ``table7``: our numbers, the paper's, and ratios to one method."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccnn_geo._base.native.build import native_function
from ccnn_geo.experiments.benchmarks.sequence_layers import METHODS
from ccnn_geo.experiments.benchmarks.step_cost import Row
from ccnn_geo.experiments.benchmarks.timing import machine
from ccnn_geo.visualization.canvas import canvas, save

SETTINGS = {True: "compiled", False: "torch only"}
FIELDS = (
    *("table", "method", "setting", "length", "hidden", "batch", "unit", "value", "low", "high", "repeats"),
    *("ratio", "paper", "paper_ratio", "reference", "failed", "machine"),
)
QUANTITIES = {"ms": "time of a forward + backward pass", "MB": "peak memory of a forward + backward pass"}
COLORS = {
    "lssl": "#7f7f7f",
    "s4": "#d62728",
    "s4d": "#ff9896",
    "local": "#7f7f7f",
    "global": "#d62728",
    "ccnn": "#1f77b4",
    "ccnn_window": "#1f77b4",
    "ccnn_pointwise": "#2ca02c",
    "ccnn_window_pointwise": "#2ca02c",
}
"""Colours by method; rows with the published window are dashed."""


@dataclass(frozen=True)
class Study:
    """A table of ``kind``s of models by length and width, in ``unit`` ms or MB.

    ``large`` is the width that takes a GPU or patience, ``allowed`` lists all widths (any, if empty).
    """

    name: str
    kind: str
    unit: str
    reference: str
    paper: Mapping[tuple[str, int, int], float]
    lengths: tuple[int, ...]
    hidden: tuple[int, ...]
    large: int
    toy: tuple[tuple[int, ...], tuple[int, ...]]
    repeats: int = 5
    allowed: tuple[int, ...] = ()


def header(study: Study, args: argparse.Namespace) -> list[str]:
    """Describes the origin of the figures, and how to read them."""
    spread = "of the rounds" if study.unit == "ms" else "of fresh processes"
    compiled = "available" if native_function("fft_conv") else "not available"
    lines = [
        f"{machine()}{processor()}",
        f"{study.name}: {QUANTITIES[study.unit]}, batch of {args.batch}; median (smallest .. largest) {spread}, in "
        f"{study.unit}",
        f"x: ratio to {METHODS[study.kind][study.reference].label} in the same column; compiled code: {compiled}",
    ]
    return lines + ["toy sizes: these figures mean nothing"] * args.quick


def processor() -> str:
    """The name of the processor, if the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next((f" of {name}" for name in names), "")


def compare(study: Study, rows: Sequence[Row]) -> None:
    """Adds ratios and the paper's numbers to rows of one length and width."""
    at = rows[0]["length"], rows[0]["hidden"]
    theirs = study.paper.get((study.reference, *at))
    ours = {row["setting"]: row.get("value") for row in rows if row["method"] == study.reference}
    for row in rows:
        row |= {"table": study.name, "reference": study.reference, "machine": machine()}
        if row.get("value") is not None and ours.get(row["setting"]):
            row["ratio"] = row["value"] / ours[row["setting"]]
        row["paper"] = study.paper.get((row["method"], *at))
        if row["paper"] and theirs:
            row["paper_ratio"] = row["paper"] / theirs


def table_lines(study: Study, rows: Sequence[Row]) -> list[str]:
    """Formats a table of one length and width: methods below each other, settings and the paper side by side."""
    compare(study, rows)
    settings = list(dict.fromkeys(row["setting"] for row in rows))
    first = rows[0]
    title = f"L={first['length']:,}, H={first['hidden']}, {study.unit}"
    lines = [
        "",
        f"{title:32s}" + "".join(f"{s:>27s} {'x':>6s}" for s in settings) + f"{'paper':>9s} {'x':>6s}",
    ]
    reasons = []
    for method in dict.fromkeys(row["method"] for row in rows):
        label = METHODS[study.kind][method].label
        line = f"{label:32s}"
        of_method = {row["setting"]: row for row in rows if row["method"] == method}
        for setting in settings:
            row = of_method[setting]
            line += f"{_cell(row):>27s} {_ratio(row.get('ratio')):>6s}"
            if row.get("failed"):
                reasons.append(f"- {label}, {setting}: {row['failed']}")
        paper = of_method[settings[0]]
        number = "" if paper["paper"] is None else f"{paper['paper']:,g}"
        lines.append(f"{line}{number:>9s} {_ratio(paper.get('paper_ratio')):>6s}".rstrip())
    return lines + reasons


def _cell(row: Row) -> str:
    if row.get("failed"):
        return "-"
    spread = f" ({_short(row['low'])} .. {_short(row['high'])})"
    return _short(row["value"]) + spread * (row["repeats"] > 1)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def plot_study(study: Study, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws cost against length in log-log axes, a panel per setting and width; leaves out missing measurements."""
    from matplotlib.ticker import FuncFormatter

    settings = list(dict.fromkeys(row["setting"] for row in rows))
    widths = list(dict.fromkeys(row["hidden"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    figure = canvas(1.5 + 4.5 * len(widths), 1.0 + 3.6 * len(settings))
    panels = figure.subplots(len(settings), len(widths), squeeze=False, sharex=True, sharey=True)
    for setting, of_setting in zip(settings, panels, strict=True):
        for hidden, axes in zip(widths, of_setting, strict=True):
            here = [r for r in rows if (r["setting"], r["hidden"]) == (setting, hidden)]
            for method in methods:
                points = [
                    (r["length"], max(r["value"], 1e-3))
                    for r in here
                    if r["method"] == method and not r.get("failed")
                ]
                style = "--" if "window" in method else "-"
                axes.plot(
                    *(zip(*points, strict=True) if points else ((), ())),
                    label=METHODS[study.kind][method].label,
                    color=COLORS[method],
                    linestyle=style,
                    marker="o",
                    markersize=4,
                )
            axes.set(xscale="log", yscale="log")
            axes.set_title(f"{hidden} channels, {setting}", loc="left", fontsize=10)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.10g}"))
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
            lengths = sorted({row["length"] for row in rows})
            axes.set_xticks(lengths, [f"{n:,}" for n in lengths])
            axes.set_xticks([], minor=True)
    figure.supxlabel("length of the sequences", fontsize=10)
    figure.supylabel(f"{QUANTITIES[study.unit]}, {study.unit}", fontsize=10)
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(), loc="outside right upper", fontsize=9, frameon=False
    )
    save(figure, path)
