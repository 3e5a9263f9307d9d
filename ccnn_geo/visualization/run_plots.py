"""Pictures of a run, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ccnn_geo.training.metrics_file import read_metrics
from ccnn_geo.training.tasks.scores import RegressionScores, Scores
from ccnn_geo.visualization.canvas import canvas, save
from ccnn_geo.visualization.style import LARGE, count_epochs, in_style, legend_below
from ccnn_geo.visualization.task_plots import plot_parity, plot_scene

if TYPE_CHECKING:
    from ccnn_geo.training.tasks.scores import AnyScores

QUANTITIES = (
    ("acc", "accuracy (%)", 100.0),
    ("error", "mean absolute error (standard deviations)", 1.0),
)
"""Columns besides the loss, for classes and for numbers: the axis label, and the factor."""


def draw_training(folder: Path, scores: AnyScores) -> None:
    """Draws the pictures of a training into its folder: ``curves.png`` for its metrics, and those of its validation.

    These are ``confusion.png`` for classes, ``parity.png`` for numbers, and ``scene.png`` for predictions per point.

    Args:
        folder: Folder of the run.
        scores: Scores of the validation.
    """
    plot_curves(read_metrics(folder / "metrics.csv"), folder / "curves.png")
    _draw(scores, folder / f"{scores.picture}.png", f"validation, {scores.title()}")


def draw_test(path: Path, scores: AnyScores, label: str) -> None:
    """Draws the pictures of a test.

    Args:
        path: The PNG file of the confusion matrix, or of the parity plot; the picture of a scene lies beside it.
        scores: Scores of the test.
        label: Label of the data.
    """
    _draw(scores, path, f"test, {label}, {scores.title()}")


def _draw(scores: AnyScores, path: Path, title: str) -> None:
    """Draws the picture of the scores, and beside it that of a scene, if there is one."""
    if isinstance(scores, RegressionScores):
        plot_parity(scores, path, title)
    else:
        plot_confusion(scores.confusion, scores.classes, path, title)
    scene = None if type(scores) is Scores else scores.scene  # type: ignore[union-attr]
    if scene is not None:
        place = path.with_name(path.name.replace(scores.picture, "scene", 1))
        plot_scene(scene, scores, place, f"{title}  {scene.name}".strip())


@in_style()
def plot_curves(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Draws loss, and accuracy or error, over epochs.

    Args:
        rows: Rows of the metrics file, see :func:`~ccnn_geo.training.metrics_file.read_metrics`.
        path: The PNG file.
    """
    figure = canvas(10, 4)
    known = {key for row in rows for key in row}
    second = next((row for row in QUANTITIES if f"train_{row[0]}" in known), QUANTITIES[0])
    for position, (quantity, title, scale) in ((1, ("loss", "loss", 1.0)), (2, second)):
        axes = figure.add_subplot(1, 2, position)
        for part, label in (("train", "training"), ("val", "validation")):
            points = [
                (int(r["epoch"]), scale * float(r[k])) for r in rows if r.get(k := f"{part}_{quantity}")
            ]
            if points:
                axes.plot(*zip(*points, strict=True), label=label, marker=".", ms=4)
        count_epochs(axes)
        axes.set_ylabel(title)
        axes.grid(True)
        legend_below(axes)
    save(figure, path)


@in_style()
def plot_confusion(confusion: Tensor, classes: Sequence[str], path: Path, title: str = "") -> None:
    """Draws a confusion matrix: rows are true classes, colours fractions of a row, numbers are samples.

    Args:
        confusion: Samples of class (row) that were predicted as class (column).
        classes: Names of the classes.
        path: The PNG file.
        title: Title of the picture.

    Shapes:
        - ``confusion``: :math:`(K, K)`
    """
    size = max(5.0, 0.42 * len(classes) + 2.5)
    figure = canvas(size, size)
    axes = figure.add_subplot()
    fraction = confusion.double() / confusion.sum(dim=1, keepdim=True).clamp(min=1)
    axes.imshow(fraction.numpy(), cmap="Blues", vmin=0.0, vmax=1.0)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=90)
    axes.set_yticks(ticks, classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=LARGE)
    for i, j in confusion.nonzero().tolist():
        colour = "white" if fraction[i, j] > 0.5 else "black"
        axes.text(j, i, str(int(confusion[i, j])), ha="center", va="center", fontsize=7, color=colour)
    save(figure, path)
