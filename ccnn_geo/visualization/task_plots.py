"""Predictions against truths: numbers over numbers, and the points of a scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ccnn_geo.training.tasks.scores import RegressionScores
from ccnn_geo.visualization.canvas import canvas, save
from ccnn_geo.visualization.style import PALETTE, in_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ccnn_geo.training.tasks.scene import Scene
    from ccnn_geo.training.tasks.scores import AnyScores

MOST = 20_000
"""Most points to draw of a scene."""
NAMED = 20
"""Most classes to name in a scene: the larger colour map has no more colours."""


@in_style()
def plot_parity(scores: RegressionScores, path: Path, title: str = "") -> None:
    """Draws predictions over truths, a picture for each target, in its unit.

    Args:
        scores: Scores of the evaluation.
        path: The PNG file.
        title: Title of the picture.
    """
    names, units = scores.targets.names, scores.targets.units
    figure = canvas(4.6 * len(names), 4.8)
    for i, (name, unit) in enumerate(zip(names, units, strict=True)):
        axes = figure.add_subplot(1, len(names), i + 1)
        known = ~scores.truth[:, i].isnan()
        truth, answer = scores.truth[known, i].numpy(), scores.answer[known, i].numpy()
        axes.plot(truth, answer, ".", ms=3, alpha=0.5)
        if len(truth):
            ends = [min(truth.min(), answer.min()), max(truth.max(), answer.max())]
            axes.plot(ends, ends, color="black", lw=0.8)
        label = f"{name}, {unit}" if unit else name
        axes.set_xlabel(f"{label}: truth")
        axes.set_ylabel("prediction")
        axes.set_title(f"MAE {scores.mae[i]:.4g}, R2 {scores.r2[i]:.4g}")
        axes.grid(True)
    figure.suptitle(title)
    save(figure, path)


@in_style()
def plot_scene(scene: Scene, scores: AnyScores, path: Path, title: str = "") -> None:
    """Draws the points of a scene, seen from above, by truth, prediction and error.

    For classes the error marks wrong predictions; targets have a row each, with the difference. Points in one dimension
    are drawn over it.

    Args:
        scene: The points.
        scores: Scores of the evaluation, with the names of classes or targets.
        path: The PNG file.
        title: Title of the picture.
    """
    step = -(-len(scene.pos) // MOST)
    parts = [part[::step] for part in (scene.pos, scene.truth, scene.answer)]
    if isinstance(scores, RegressionScores):
        rows = _target_rows(scores, parts[1], parts[2])
    else:
        rows = [_class_row(scores.classes, parts[1], parts[2])]
    figure = canvas(13, 4.2 * len(rows))
    for i, row in enumerate(rows):
        for j, (what, values, style) in enumerate(row):
            axes = figure.add_subplot(len(rows), 3, 3 * i + j + 1)
            _scatter(axes, parts[0], values, style)
            axes.set_title(what)
    if not isinstance(scores, RegressionScores) and len(scores.classes) <= NAMED:
        _name_classes(figure, scores.classes)
    figure.suptitle(title)
    save(figure, path)


Panel = tuple[str, Tensor, dict[str, Any]]


def _class_row(classes: tuple[str, ...], truth: Tensor, answer: Tensor) -> list[Panel]:
    truth = truth.reshape(-1)
    colors = _colors_of(classes)
    style = {"cmap": colors, "vmin": -0.5, "vmax": colors.N - 0.5}
    wrong = torch.where(truth < 0, torch.nan, (truth != answer).float())
    labelled = torch.where(truth < 0, torch.nan, truth.float())
    share = float(wrong.nanmean())
    error = {"cmap": "coolwarm", "vmin": 0.0, "vmax": 1.0}
    return [
        ("truth", labelled, style),
        ("prediction", answer.float(), style),
        (f"wrong: {100 * share:.1f} %", wrong, error),
    ]


def _colors_of(classes: tuple[str, ...]) -> Any:
    """A colour map with a colour for each class."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(PALETTE) if len(classes) <= len(PALETTE) else colormaps["tab20"]


def _name_classes(figure: Figure, classes: tuple[str, ...]) -> None:
    """One legend for all panels, below them."""
    from matplotlib.lines import Line2D

    colors = _colors_of(classes)
    marks = [Line2D([], [], ls="", marker="o", color=colors(i), label=name) for i, name in enumerate(classes)]
    figure.legend(handles=marks, loc="outside lower center", ncols=min(len(classes), 10))


def _target_rows(scores: RegressionScores, truth: Tensor, answer: Tensor) -> list[list[Panel]]:
    rows = []
    truth = truth.reshape(len(answer), -1)
    for i, (name, unit) in enumerate(zip(scores.targets.names, scores.targets.units, strict=True)):
        label = f"{name}, {unit}" if unit else name
        known = truth[:, i][~truth[:, i].isnan()]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        style = {"cmap": "viridis", "vmin": low, "vmax": high, "bar": True}
        difference = answer[:, i] - truth[:, i]
        largest = float(difference.abs().nan_to_num().max()) or 1.0
        error = {"cmap": "coolwarm", "vmin": -largest, "vmax": largest, "bar": True}
        rows.append(
            [
                (f"{label}: truth", truth[:, i], style),
                ("prediction", answer[:, i], style),
                ("prediction - truth", difference, error),
            ]
        )
    return rows


def _scatter(axes: Any, pos: Tensor, values: Tensor, style: dict[str, Any]) -> None:
    """Draws points from above, the highest last; unknown values are light grey."""
    order = pos[:, -1].argsort() if pos.size(1) == 3 else torch.arange(len(pos))
    pos, values = pos[order], values[order]
    known = ~values.isnan()
    across = pos[:, :2] if pos.size(1) > 1 else torch.stack([pos[:, 0], values.nan_to_num()], dim=1)
    size = max(0.5, min(12.0, 20_000 / max(1, len(pos))))
    axes.scatter(*across[~known].T.numpy(), s=size, color="lightgrey", linewidths=0)
    drawn = axes.scatter(
        *across[known].T.numpy(),
        c=values[known].numpy(),
        s=size,
        linewidths=0,
        **{key: style[key] for key in ("cmap", "vmin", "vmax")},
    )
    if style.get("bar"):
        axes.figure.colorbar(drawn, ax=axes, shrink=0.8)
    if pos.size(1) > 1:
        axes.set_aspect("equal")
