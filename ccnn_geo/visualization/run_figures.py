"""The course of a training: window widths per layer, loss, accuracy or error, for one or several runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccnn_geo.training.metrics_file import read_metrics
from ccnn_geo.visualization.canvas import canvas, lay_out_page, plotly_graphs
from ccnn_geo.visualization.style import color_of, count_epochs, in_style, legend_below

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES = ("-", "--", ":", "-.")
DASHES = ("solid", "dash", "dot", "dashdot")
"""One style per run if colours stand for layers; styles of both libraries in the same order."""
Rows = Sequence[Mapping[str, str]]
QUANTITIES = (("acc", "accuracy (%)", 100.0), ("error", "error (standard deviations)", 1.0))
"""Columns besides the loss, for classes and for numbers: the axis label, and the factor."""


def read_runs(folders: Sequence[str | PathLike[str]]) -> dict[str, Rows]:
    """Reads the rows of ``metrics.csv`` of each run, by the shortest distinct names.

    Raises:
        FileNotFoundError: If a folder holds none.
        ValueError: If a run is named twice, or has no complete epoch.
    """
    paths = [Path(f).expanduser() for f in folders]
    if len(set(paths)) < len(paths):
        raise ValueError(f"expected different runs, got {', '.join(map(str, paths))}")
    runs: dict[str, Sequence[Mapping[str, str]]] = {}
    for name, path in zip(_short(paths), paths, strict=True):
        if not (path / "metrics.csv").is_file():
            raise FileNotFoundError(f"{path}: no metrics.csv, expected the folder of a run")
        rows = read_metrics(path / "metrics.csv")
        if not rows or "epoch" not in rows[0]:
            raise ValueError(f"{path / 'metrics.csv'}: no complete epoch")
        runs[name] = rows
    return runs


@in_style()
def draw_runs(runs: Mapping[str, Rows]) -> Figure:
    """Draws the window width of each layer, loss, and accuracy or error over epochs.

    Args:
        runs: The result of :func:`read_runs`. With several runs, windows differ by line style, the rest by colour.

    Returns:
        The figure.
    """
    figure = canvas(11, 4.4)
    windows, *others = figure.subplots(1, 3)
    layers, quantities = _layers(runs), _quantities(runs)
    from matplotlib import colormaps

    colors = colormaps["viridis"].resampled(max(len(layers), 2))
    for i, (run, rows) in enumerate(runs.items()):
        for k, layer in enumerate(layers):
            label = layer_name(layer) if i == 0 else None
            windows.plot(*_series(rows, layer), STYLES[i % 4], color=colors(k), label=label, marker=".", ms=4)
        for axes, (quantity, _, scale) in zip(others, quantities, strict=True):
            name = "" if len(runs) == 1 else f"{run}, "
            for part, label, style in (("train", "training", "--"), ("val", "validation", "-")):
                epochs, values = _series(rows, f"{part}_{quantity}", scale)
                axes.plot(epochs, values, style, color=color_of(i), label=f"{name}{label}", marker=".", ms=4)
    windows.set_ylabel("window width σ, in units of positions")
    if not layers:
        windows.text(0.5, 0.5, "no windows", ha="center", transform=windows.transAxes)
    for axes, (_, label, _) in zip(others, quantities, strict=True):
        axes.set_ylabel(label)
    for axes in (windows, *others):
        count_epochs(axes)
        axes.grid(True)
        legend_below(axes, 3 if axes is windows else 2)
    figure.suptitle(", ".join(runs) if len(runs) == 1 else _key(runs))
    return figure


def run_page(runs: Mapping[str, Rows]) -> Any:
    """The same as an interactive ``plotly.graph_objects.Figure``; see :func:`draw_runs`.

    Raises:
        ImportError: If plotly is not installed.
    """
    graphs = plotly_graphs()
    from plotly.colors import sample_colorscale
    from plotly.subplots import make_subplots

    quantities = _quantities(runs)
    labels = ["window width σ, in units of positions", *(label for _, label, _ in quantities)]
    figure = make_subplots(1, 3, subplot_titles=labels, horizontal_spacing=0.06)
    layers = _layers(runs)
    colors = sample_colorscale("viridis", max(len(layers), 2))
    for i, (run, rows) in enumerate(runs.items()):
        for k, layer in enumerate(layers):
            line = {"color": colors[k], "dash": DASHES[i % 4]}
            figure.add_trace(_line(graphs, _series(rows, layer), f"{run}: {layer_name(layer)}", line), 1, 1)
        color = color_of(i)
        for column, (quantity, words, scale) in enumerate(quantities, start=2):
            for part, label, dash in (("train", "training", "dash"), ("val", "validation", "solid")):
                series = _series(rows, f"{part}_{quantity}", scale)
                name = f"{run}: {label} {words.partition(' (')[0]}"
                figure.add_trace(_line(graphs, series, name, {"color": color, "dash": dash}), 1, column)
    figure.update_xaxes(title_text="epoch")
    return lay_out_page(figure, ", ".join(runs), 480)


def layer_name(column: str) -> str:
    """``window_0`` is the stem; numbers as for ``show kernels --layer``."""
    number = int(column.removeprefix("window_"))
    return "stem" if number == 0 else f"layer {number}"


def _line(graphs: Any, series: tuple[list[int], list[float]], name: str, line: dict[str, str]) -> Any:
    return graphs.Scatter(x=series[0], y=series[1], name=name, line=line, mode="lines+markers")


def _layers(runs: Mapping[str, Rows]) -> list[str]:
    found = {key for rows in runs.values() for row in rows for key in row if key.startswith("window_")}
    return sorted(found, key=lambda key: int(key.removeprefix("window_")))


def _quantities(runs: Mapping[str, Rows]) -> list[tuple[str, str, float]]:
    """The loss, and the other quantities of the runs; accuracy if there are none."""
    known = {key.partition("_")[2] for rows in runs.values() for row in rows for key in row}
    second = next((row for row in QUANTITIES if row[0] in known), QUANTITIES[0])
    return [("loss", "loss", 1.0), second]


def _series(rows: Rows, key: str, scale: float = 1.0) -> tuple[list[int], list[float]]:
    """Epochs and values of a column, where it has values: not every epoch validates."""
    points = [(int(row["epoch"]), scale * float(row[key])) for row in rows if row.get(key)]
    return [epoch for epoch, _ in points], [value for _, value in points]


def _key(runs: Mapping[str, Rows]) -> str:
    """Assigns the line styles of the windows to runs."""
    return "windows: " + ", ".join(
        f"{run} {('solid', 'dashed', 'dotted', 'dash-dot')[i % 4]}" for i, run in enumerate(runs)
    )


def _short(paths: Sequence[Path]) -> list[str]:
    """The shortest distinct endings of paths; two parts for a single path."""
    parts = [path.resolve().parts for path in paths]
    for count in range(2 if len(paths) == 1 else 1, max(map(len, parts)) + 1):
        names = ["/".join(p[-count:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]
