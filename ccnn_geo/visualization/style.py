"""The style of all figures: colours, fonts, lines, and legends beside the curves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ccnn_geo._base.extras import needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""The colours of Okabe and Ito, which differ for colour-blind readers too; the palest comes last."""
SMALL, NORMAL, LARGE = 8, 9, 10
"""Font sizes: ticks and legends, labels and names of panels, the title of a figure."""
SETTINGS: dict[str, Any] = {
    "font.size": NORMAL,
    "figure.titlesize": LARGE,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.4,
    "lines.linewidth": 1.4,
}
BELOW = 0.45
"""Inches between an axis and the legend below it: room for ticks and a label."""


@contextmanager
def in_style() -> Iterator[None]:
    """Draws in the package's style, as a context or a decorator; other figures keep theirs.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    with needs("viz", "pictures"):
        from matplotlib import rc_context
        from matplotlib.rcsetup import cycler

    settings: Any = {**SETTINGS, "axes.prop_cycle": cycler(color=PALETTE)}
    with rc_context(settings):
        yield


def color_of(number: int) -> str:
    """The colour of a series; they repeat after the last one."""
    return PALETTE[number % len(PALETTE)]


def count_epochs(axes: Axes) -> None:
    """Labels the horizontal axis with whole epochs."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def legend_below(axes: Axes, columns: int = 3) -> None:
    """Puts a legend below the horizontal axis, if anything has a label."""
    from matplotlib.transforms import ScaledTranslation

    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    down = ScaledTranslation(0, -BELOW, axes.figure.dpi_scale_trans)  # axes shrink, a label does not
    axes.legend(
        handles,
        labels,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=axes.transAxes + down,
        ncols=min(columns, len(handles)),
        borderaxespad=0,
    )


def legend_right(axes: Axes) -> None:
    """Puts a legend to the right of the axes, if anything has a label."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
