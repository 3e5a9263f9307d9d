"""Kernels as matplotlib figures: channels over lags, images, slices of volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ccnn_geo.visualization.canvas import DIVERGING, canvas
from ccnn_geo.visualization.rendering import LayerKernels, check_index
from ccnn_geo.visualization.style import color_of, in_style, legend_right

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES = 3
IMAGES = 8
VOLUMES = 2
"""Number of channels to show per layer by default: the strongest ones."""
COLUMNS = 8
CLIPPED = 0.99
"""Share of a layer's taps with distinguishable colours, if all channels are in one image."""
WIDTH = 10.0


@dataclass(frozen=True)
class _Image:
    title: str
    values: np.ndarray  # rows and columns as drawn, the first row on top
    extent: tuple[float, float, float, float]
    names: tuple[str, str]


@in_style()
def draw_kernels(
    layers: Sequence[LayerKernels],
    channels: Sequence[int] | None = None,
    title: str = "",
    period: int | None = None,
) -> Figure:
    """Draws kernels; the colours are symmetric about zero, with one scale per layer.

    Sequences: all channels of a layer over the lag, as in Fig. 12, and some as curves. Images: one image per channel.
    Volumes: the three slices through the centre per channel.

    Args:
        layers: From :func:`~ccnn_geo.visualization.rendering.render_kernels`.
        channels: Channels to draw one by one; by default the strongest of each layer.
        title: Title of the figure.
        period: Taps between vertical marks; for sequences made of images their width.

    Returns:
        The figure.

    Raises:
        ValueError: If none of the layers has such a channel.

    Source: Fig. 12.
    """
    if layers[0].dim == 1:
        return _draw_curves(layers, channels, title, period)
    rows = _image_rows(layers[0], channels) if len(layers) == 1 else []
    if not rows:
        count = IMAGES if layers[0].dim == 2 else VOLUMES
        rows = [(k.name, _images(k, chosen_channels(k, channels, count))) for k in layers]
    return _draw_images(rows, layers, title)


def chosen_channels(layer: LayerKernels, channels: Sequence[int] | None, count: int) -> list[int]:
    """The requested channels that a layer has, or its strongest channels.

    Raises:
        ValueError: If it has none of them.
    """
    if channels is None:
        return layer.strongest(count)
    kept = [c for c in channels if 0 <= c < layer.num_channels]
    if not kept:  # the stem has fewer than the other layers
        check_index(f"channels of {layer.name}", channels[0], layer.num_channels)
    return kept


def limit_of(values: Tensor, share: float = 1.0) -> float:
    """The magnitude that a share of the values does not exceed, for colours symmetric about zero."""
    ordered = values.abs().flatten().sort().values
    return max(float(ordered[round(share * (len(ordered) - 1))]), 1e-12)


# Sequences ----------------------------------------------------------------------------------------


def _draw_curves(
    layers: Sequence[LayerKernels], channels: Sequence[int] | None, title: str, period: int | None
) -> Figure:
    figure = canvas(WIDTH, 0.6 + 1.7 * len(layers))
    figure.suptitle(title)
    grid = figure.subplots(len(layers), 2, squeeze=False, sharex=True, width_ratios=(1.3, 1))
    for (image, curves), layer in zip(grid, layers, strict=True):
        lags, values, limit = layer.axes[0].numpy(), layer.values.numpy(), limit_of(layer.values, CLIPPED)
        extent = (lags[0], lags[-1], layer.num_channels - 0.5, -0.5)
        drawn = image.imshow(
            values, cmap=DIVERGING, vmin=-limit, vmax=limit, extent=extent, interpolation="nearest"
        )
        image.set_aspect("auto")
        image.set_ylabel(f"{layer.name}\nchannel")
        if layer.num_channels < 6:
            image.set_yticks(range(layer.num_channels))
        figure.colorbar(drawn, ax=image, pad=0.01, extend="both")
        for i, c in enumerate(chosen_channels(layer, channels, CURVES)):
            curves.plot(lags, values[c], lw=1.1, color=color_of(i), label=f"channel {c}")
        curves.axhline(0, color="0.7", lw=0.6, zorder=0)
        legend_right(curves)
        if layer.on_lattice:
            _mark(layer, period, image, curves)
    _say_taps(grid[0], layers[0])
    for axes in grid[-1]:
        axes.set_xlabel("offset, in units of positions")
    return figure


def _mark(layer: LayerKernels, period: int | None, *several: Any) -> None:
    lags = layer.axes[0]
    step = float(lags[1] - lags[0]) if len(lags) > 1 else 0.0
    if not period or not step:
        return
    for axes in several:
        for n in range(1, int(float(lags[-1]) / (period * step)) + 1):
            axes.axvline(n * period * step, color="k", lw=0.7, ls=":", alpha=0.7)


def _say_taps(row: Sequence[Any], layer: LayerKernels) -> None:
    """Adds a second scale, in taps, above the first row."""
    if layer.on_lattice and len(layer.axes[0]) > 1:
        step = float(layer.axes[0][1] - layer.axes[0][0])
        for axes in row:
            upper = axes.secondary_xaxis("top", functions=(lambda x: x / step, lambda n: n * step))
            upper.set_xlabel("taps")


# Images and volumes -------------------------------------------------------------------------------


def _image_rows(layer: LayerKernels, channels: Sequence[int] | None) -> list[tuple[str, list[_Image]]]:
    """Rows for a single layer: all channels of images, or a row per channel of volumes."""
    if layer.dim == 2:
        images = _images(layer, chosen_channels(layer, channels, 4 * COLUMNS))
        return [(layer.name, images[i : i + COLUMNS]) for i in range(0, len(images), COLUMNS)]
    return [(f"{layer.name}\nchannel {c}", _images(layer, [c])) for c in chosen_channels(layer, channels, 4)]


def _images(layer: LayerKernels, channels: Sequence[int]) -> list[_Image]:
    values = layer.values.numpy()
    if layer.dim == 2:
        down, right = layer.axes
        extent = (*_edges(right), *_edges(down)[::-1])
        return [_Image(f"channel {c}", values[c], extent, ("right", "down")) for c in channels]
    middle = [int(axis.abs().argmin()) for axis in layer.axes]
    found = []
    for c in channels:
        for normal, (across, up) in ((2, (0, 1)), (1, (0, 2)), (0, (1, 2))):
            plane = np.take(values[c], middle[normal], axis=normal)  # axes in ascending order: across, up
            extent = (*_edges(layer.axes[across]), *_edges(layer.axes[up]))
            names = "xyz"[across], "xyz"[up]
            found.append(_Image(f"channel {c}, {'xyz'[normal]} = 0", plane.T[::-1], extent, names))
    return found


def _edges(axis: Tensor) -> tuple[float, float]:
    """The beginning of the first pixel and the end of the last."""
    half = float(axis[1] - axis[0]) / 2 if len(axis) > 1 else 0.5
    return float(axis[0]) - half, float(axis[-1]) + half


def _draw_images(rows: list[tuple[str, list[_Image]]], layers: Sequence[LayerKernels], title: str) -> Figure:
    columns = max(len(images) for _, images in rows)
    side = (WIDTH - 1.2) / max(columns, 4)
    figure = canvas(WIDTH if columns > 3 else columns * side + 1.2, 0.7 + (side + 0.15) * len(rows))
    figure.suptitle(title)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for i, ((label, images), row) in enumerate(zip(rows, grid, strict=True)):
        limit = limit_of(layers[0 if len(layers) == 1 else i].values)
        for axes in row[len(images) :]:
            axes.set_axis_off()
        for j, (image, axes) in enumerate(zip(images, row, strict=False)):
            drawn = axes.imshow(
                image.values,
                cmap=DIVERGING,
                vmin=-limit,
                vmax=limit,
                extent=image.extent,
                interpolation="nearest",
            )
            axes.set_title(image.title, fontsize=8, pad=2)
            axes.tick_params(labelsize=6.5, labelleft=j == 0, pad=1)
            axes.locator_params(nbins=3)
            across, up = image.names
            if i == len(rows) - 1:
                axes.set_xlabel(across, fontsize=8, labelpad=1)
            if j == 0 or layers[0].dim == 3:
                axes.set_ylabel(f"{label}\n{up}" if j == 0 else up, fontsize=8, labelpad=1)
        bar = figure.colorbar(drawn, ax=list(row), pad=0.01, fraction=0.02, aspect=12)
        bar.ax.tick_params(labelsize=7)
    return figure
