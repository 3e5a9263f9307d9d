"""A value per point or cell of a sample, as matplotlib figures: views of a cloud, an image, a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ccnn_geo.visualization.canvas import DIVERGING, canvas
from ccnn_geo.visualization.colorings import Coloring
from ccnn_geo.visualization.sample_values import Sample
from ccnn_geo.visualization.style import PALETTE, in_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VIEWS = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
"""Axes across, up and towards the reader."""


@in_style()
def draw_sample(sample: Sample, coloring: Coloring) -> Figure:
    """Draws a sample coloured by a value: three views of a cloud, an image beside its values, a sequence over time.

    Args:
        sample: A cloud or grid.
        coloring: A value per point or cell.

    Returns:
        The figure.

    Raises:
        ValueError: If the sample is a dense volume.
    """
    dim = sample.pos.size(1)
    if dim == 3 and not sample.is_points:
        raise ValueError(
            f"{sample.name}: a dense grid of {list(sample.size)} cells, expected points or an image"
        )
    return (_draw_series, _draw_image, _draw_views)[2 if sample.is_points and dim > 1 else dim - 1](
        sample, coloring
    )


def _colors(coloring: Coloring) -> dict:
    return {"cmap": DIVERGING, "vmin": -coloring.limit, "vmax": coloring.limit}


def _draw_views(sample: Sample, coloring: Coloring) -> Figure:
    pos, values = sample.pos.cpu().double().numpy(), coloring.values.cpu().float().numpy()
    views = VIEWS if pos.shape[1] == 3 else ((0, 1, 1),)
    figure = canvas(1.2 + 3.2 * len(views), 3.7)
    figure.suptitle(coloring.title)
    middle, half = (pos.max(0) + pos.min(0)) / 2, (pos.max(0) - pos.min(0)).max() / 2 * 1.05
    size = float(np.clip(9000 / len(pos), 3, 30))
    row = figure.subplots(1, len(views), squeeze=False)[0]
    for axes, (across, up, away) in zip(row, views, strict=True):
        order = np.argsort(pos[:, away])  # nearer points are drawn later
        unseen, seen = (order[np.isnan(values[order]) == is_nan] for is_nan in (True, False))
        axes.scatter(pos[unseen, across], pos[unseen, up], s=size / 2, color="0.85", lw=0)
        drawn = axes.scatter(
            pos[seen, across], pos[seen, up], s=size, c=values[seen], ec="0.4", lw=0.2, **_colors(coloring)
        )
        if coloring.point is not None:
            at = pos[coloring.point]
            axes.scatter(at[across], at[up], s=70, marker="+", color="k", lw=1.5)
        axes.set(xlabel="xyz"[across], ylabel="xyz"[up], aspect="equal")
        axes.set_xlim(middle[across] - half, middle[across] + half)
        axes.set_ylim(middle[up] - half, middle[up] + half)
        axes.set_facecolor("0.97")
    figure.colorbar(drawn, ax=list(row), pad=0.01, fraction=0.03, shrink=0.8, label=coloring.label)
    return figure


def _draw_image(sample: Sample, coloring: Coloring) -> Figure:
    figure = canvas(7.5, 3.8)
    figure.suptitle(coloring.title)
    left, right = figure.subplots(1, 2)
    image = sample.inputs["x"][0].cpu().float()
    low, high = image.amin(), image.amax()
    shown = ((image - low) / (high - low).clamp(min=1e-12)).movedim(0, -1)
    left.imshow((shown if shown.size(-1) == 3 else shown.mean(dim=-1)).numpy(), cmap="gray")
    left.set_title("input")
    drawn = right.imshow(coloring.values.cpu().float().reshape(sample.size).numpy(), **_colors(coloring))
    right.set_title(coloring.label)
    figure.colorbar(drawn, ax=right, pad=0.02, fraction=0.045)
    for axes in (left, right):
        axes.set(xticks=[], yticks=[])
    return figure


def _draw_series(sample: Sample, coloring: Coloring) -> Figure:
    figure = canvas(10, 4.2)
    figure.suptitle(coloring.title)
    upper, lower = figure.subplots(2, 1, sharex=True)
    time, x = sample.pos[:, 0].cpu().numpy(), sample.inputs["x"].cpu().float()
    order = np.argsort(time)
    signal = (x if sample.is_points else x[0].T).numpy()
    upper.plot(time[order], signal[order], lw=0.9, alpha=0.9 if signal.shape[1] == 1 else 0.6)
    upper.set_ylabel("input")
    values = coloring.values.cpu().float().numpy()
    lower.vlines(time, 0, values, lw=1.2, color=np.where(values > 0, PALETTE[1], PALETTE[0]))
    lower.axhline(0, color="0.4", lw=0.7)
    lower.set(xlabel="position", ylabel=coloring.label)
    for axes in (upper, lower):
        axes.grid(True)
    return figure
