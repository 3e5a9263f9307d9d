"""Parameters against accuracy, with and without band-limits, in the form of Fig. 8 of the paper for other data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ccnn_geo.kernels.config import PAPER
from ccnn_geo.visualization.canvas import canvas, save
from ccnn_geo.visualization.style import in_style, legend_below

LIMITS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "": ("band-limited", {}),
    "_fast": ("the published omega_0", {"omega_0": PAPER["omega_0"]}),
}
"""Initial kernels by the suffix of a row's name, those of the recipe or of the paper; title and arguments."""


def both_limits(size: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Rows of a preset, by name: title and arguments of the network.

    Example:
        >>> both_limits("ccnn_4_32")["ccnn_4_32_fast"]
        ('CCNN-4,32, the published omega_0', {'preset': 'ccnn_4_32', 'omega_0': 50.0})
    """
    title = size.replace("ccnn_", "CCNN-").replace("_", ",")
    return {
        f"{size}{end}": (f"{title}, {limit}" if end else title, {"preset": size, **model})
        for end, (limit, model) in LIMITS.items()
    }


@in_style()
def draw_sizes(
    panels: Sequence[tuple[str, Mapping[str, tuple[int, float]]]], sizes: Sequence[str], path: Path
) -> None:
    """Draws accuracy over parameters, a line for each of :data:`LIMITS`.

    Args:
        panels: For each panel its title, and parameters and accuracy in percent of rows by name; some may be missing.
        sizes: Presets.
        path: Path of the picture.
    """
    figure = canvas(5 * len(panels), 4)
    several = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (title, found) in zip(several, panels, strict=True):
        for end, (limit, _) in LIMITS.items():
            dots = [found[f"{size}{end}"] for size in sizes if f"{size}{end}" in found]
            axes.plot([n for n, _ in dots], [value for _, value in dots], "o-", label=limit, ms=5)
        axes.set(xscale="log", xlabel="parameters", title=title)
        axes.grid(True)
    several[0].set_ylabel("accuracy (%)")
    legend_below(several[0])
    save(figure, path)
