"""Log-log picture of time and memory against the number of points."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccnn_geo.visualization.canvas import canvas, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS = {"plain": "#555555", "edge": "#1f77b4", "lattice": "#2ca02c", "mesh": "#d62728"}
"""Colours of our methods; PyG's layers share one colour, and differ by marker."""
OTHERS, MARKERS = "#c08a3e", "sDv^P*"
LABEL_GAP = 12
"""Points between the lines of overlapping labels."""


def plot_cost(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws the rows of the table ``cost``; a line ends at the last size that was measured.

    Args:
        rows: Rows of ``results.csv``; those with ``failed`` are left out.
        path: The PNG file.
    """
    from matplotlib.ticker import FuncFormatter

    lines = defaultdict(list)
    for row in rows:
        if row["table"] == "cost" and not row.get("failed"):
            lines[row["method"], row["neighbors"]].append(row)
    given = {neighbors for _, neighbors in lines if neighbors is not None}
    figure = canvas(13, 5.8)
    nearest = (
        f"{next(iter(given))} nearest neighbours, or all points where noted; " if len(given) == 1 else ""
    )
    figure.suptitle(f"{nearest}a line ends where the next size exceeds the limits of the run", fontsize=10)
    panels = figure.subplots(1, 2)
    for axes, title, unit, value in (
        (panels[0], "Forward + backward, neighbours found before", "seconds", lambda row: row["both"]),
        (
            panels[1],
            "Peak memory, with the list of neighbours",
            "MB",
            lambda row: row["peak"] + row.get("list", 0),
        ),
    ):
        ends = []
        for (method, neighbors), of_method in lines.items():
            points = sorted((row["points"], max(value(row), 1e-3)) for row in of_method)
            style = _style(method, neighbors, lines)
            axes.plot(*zip(*points, strict=True), linewidth=1.8, markersize=5, **style)
            ends.append((*points[-1], _name(method, neighbors, len(given) > 1), style["color"]))
        axes.set(xscale="log", yscale="log", xlabel="points of the cloud", ylabel=unit)
        axes.set_title(title, loc="left", fontsize=11)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.10g}"))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        sizes = sorted({row["points"] for of_method in lines.values() for row in of_method})
        axes.set_xticks(sizes, [f"{n // 1024}k" if n % 1024 == 0 else str(n) for n in sizes])
        axes.set_xticks([], minor=True)
        if sizes:  # room for the longest label
            axes.set_xlim(sizes[0] / 1.15, sizes[-1] * (sizes[-1] / sizes[0]) ** 0.3 * 1.15)
        _label(axes, ends)
    save(figure, path)


def _name(method: str, neighbors: int | None, with_count: bool) -> str:
    if neighbors is None:
        return f"{method} (all)"
    return f"{method}, k={neighbors}" if with_count else method


def _style(method: str, neighbors: int | None, lines: Mapping[tuple[str, int | None], Any]) -> dict[str, str]:
    if method in OURS:
        dashed = method == "edge" and neighbors is None
        return {"color": OURS[method], "marker": "o", "linestyle": "--" if dashed else "-"}
    others = [name for name, _ in lines if name not in OURS]
    return {"color": OTHERS, "marker": MARKERS[others.index(method) % len(MARKERS)], "linestyle": "-"}


def _label(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Writes names at the ends of lines, moved apart if those at one size would overlap."""
    from matplotlib.patheffects import withStroke

    figure: Any = axes.figure
    scale = 72 / figure.dpi
    figure.draw_without_rendering()  # sets the limits, which determine positions on the page
    by_size = defaultdict(list)
    for x, y, name, color in ends:
        by_size[x].append((axes.transData.transform((x, y))[1] * scale, y, name, color))
    for x, labels in by_size.items():
        labels.sort()
        heights = _apart([height for height, *_ in labels])
        for target, (height, y, name, color) in zip(heights, labels, strict=True):
            axes.annotate(
                name,
                (x, y),
                xytext=(9, target - height),
                textcoords="offset points",
                va="center",
                fontsize=9,
                color=color,
                path_effects=[withStroke(linewidth=3, foreground="white")],
            )


def _apart(heights: Sequence[float]) -> list[float]:
    """Moves ascending heights by as little as keeps ``LABEL_GAP`` between them: blocks around their mean."""
    blocks: list[list[float]] = []
    for height in heights:
        blocks.append([height])
        while len(blocks) > 1 and _bounds(blocks[-2])[1] + LABEL_GAP > _bounds(blocks[-1])[0]:
            last = blocks.pop()
            blocks[-1] += last
    return [_bounds(block)[0] + i * LABEL_GAP for block in blocks for i in range(len(block))]


def _bounds(block: Sequence[float]) -> tuple[float, float]:
    middle, half = sum(block) / len(block), LABEL_GAP * (len(block) - 1) / 2
    return middle - half, middle + half
