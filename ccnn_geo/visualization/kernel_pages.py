"""Kernels as interactive plotly figures: the same pictures with zoom, and isosurfaces of volumes to rotate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ccnn_geo.visualization.canvas import DIVERGING, lay_out_page, plotly_graphs
from ccnn_geo.visualization.kernel_figures import chosen_channels, limit_of
from ccnn_geo.visualization.rendering import LayerKernels

COLUMNS = {1: 1, 2: 4, 3: 2}
"""Panels side by side, by dimension."""
SHOWN = 8
"""Number of channels to show one by one by default."""
VOLUMES = 4
"""The same for volumes, each with its own view."""
PLANE = ("heatmap", "scatter")
"""Kinds of traces with a pair of axes."""
VIEW = 1.45
"""Distance of the eye along each axis, large enough for the labels of a narrow panel."""
LEVEL = 0.35
"""Levels of the isosurfaces, one positive and one negative, as a share of the kernel's largest magnitude."""


def kernel_page(
    layers: Sequence[LayerKernels], channels: Sequence[int] | None = None, title: str = ""
) -> Any:
    """Shows kernels with a menu over the layers.

    Sequences: all channels over the lag, and some as curves. Images: one image per channel. Volumes: isosurfaces at
    plus and minus :data:`LEVEL` of the largest magnitude, to rotate.

    Args:
        layers: From :func:`~ccnn_geo.visualization.rendering.render_kernels`.
        channels: Channels to draw one by one; by default the strongest of each layer.
        title: Title of the figure.

    Returns:
        A ``plotly.graph_objects.Figure``.

    Raises:
        ImportError: If plotly is not installed.
        ValueError: If there is no such channel in a layer.
    """
    draw = (_curves, _images, _surfaces)[layers[0].dim - 1]
    shown = VOLUMES if layers[0].dim == 3 else SHOWN
    panels = [draw(k, chosen_channels(k, channels, shown)) for k in layers]
    rows = -(-max(place + 1 for of in panels for _, place in of) // COLUMNS[layers[0].dim])
    figure = _frame(layers[0].dim, rows)
    columns = COLUMNS[layers[0].dim]
    for of in panels:
        for trace, place in of:
            figure.add_trace(trace, row=place // columns + 1, col=place % columns + 1)
    menu = _layer_menu(figure, [k.name for k in layers], [len(of) for of in panels])
    return lay_out_page(figure, title, 180 + 300 * rows, menu)


def _frame(dim: int, rows: int) -> Any:
    plotly_graphs()
    from plotly.subplots import make_subplots

    if dim == 1:
        figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.06)
        figure.update_xaxes(title_text="offset, in units of positions", row=2, col=1)
        figure.update_yaxes(title_text="channel", row=1, col=1)
        figure.update_yaxes(title_text="kernel", row=2, col=1)
        return figure.update_layout(legend={"y": 0.45})
    kind = {"type": "scene" if dim == 3 else "xy"}
    figure = make_subplots(
        rows,
        COLUMNS[dim],
        specs=[[kind] * COLUMNS[dim]] * rows,
        horizontal_spacing=0.03,
        vertical_spacing=0.1,
    )
    if dim == 2:
        figure.update_yaxes(autorange="reversed")
        figure.update_layout(coloraxis={"colorscale": DIVERGING, "cmid": 0})
    return figure.update_scenes(camera={"eye": dict.fromkeys("xyz", VIEW)}) if dim == 3 else figure


def _curves(layer: LayerKernels, channels: Sequence[int]) -> list[tuple[Any, int]]:
    graphs, lags, values = plotly_graphs(), layer.axes[0].numpy(), layer.values.numpy()
    limit = limit_of(layer.values)
    image = graphs.Heatmap(
        x=lags, z=values, name="all channels", colorscale=DIVERGING, zmin=-limit, zmax=limit,
        colorbar={"len": 0.5, "y": 0.76},
        hovertemplate="channel %{y}, offset %{x:.4g}: %{z:.3g}<extra></extra>",
    )  # fmt: skip
    lines = [graphs.Scatter(x=lags, y=values[c], name=f"channel {c}", mode="lines") for c in channels]
    return [(image, 0), *((line, 1) for line in lines)]


def _images(layer: LayerKernels, channels: Sequence[int]) -> list[tuple[Any, int]]:
    graphs, (down, right) = plotly_graphs(), (axis.numpy() for axis in layer.axes)
    found = []
    for place, c in enumerate(channels):
        image = graphs.Heatmap(
            x=right, y=down, z=layer.values[c].numpy(), coloraxis="coloraxis", name=f"channel {c}",
            hovertemplate="down %{y:.3g}, right %{x:.3g}: %{z:.3g}<extra></extra>",
        )  # fmt: skip
        found.append((image, place))
    return found


def _surfaces(layer: LayerKernels, channels: Sequence[int]) -> list[tuple[Any, int]]:
    graphs = plotly_graphs()
    x, y, z = (a.flatten().numpy().astype(np.float32) for a in torch.meshgrid(*layer.axes, indexing="ij"))
    found = []
    for place, c in enumerate(channels):
        limit = limit_of(layer.values[c])
        surface = graphs.Isosurface(
            x=x, y=y, z=z, value=layer.values[c].flatten().numpy().astype(np.float32),
            isomin=-LEVEL * limit, isomax=LEVEL * limit, surface_count=2, opacity=0.7,
            colorscale=DIVERGING, cmin=-limit, cmax=limit, caps={k: {"show": False} for k in ("x", "y", "z")},
            showscale=False, name=f"channel {c}", hovertemplate="x %{x:.2f}, y %{y:.2f}, z %{z:.2f}<extra></extra>",
        )  # fmt: skip
        found.append((surface, place))
    return found


def _layer_menu(figure: Any, names: Sequence[str], counts: Sequence[int]) -> list[dict[str, Any]]:
    """Buttons that show one layer at a time: plotly has one list of traces, and a button makes some of them visible."""
    owner = [i for i, count in enumerate(counts) for _ in range(count)]
    panels = sorted(key for key in figure.layout if key.startswith(("xaxis", "yaxis")))
    buttons: list[dict[str, Any]] = []
    for i, name in enumerate(names):
        own = [t for t, o in zip(figure.data, owner, strict=True) if o == i]
        titles = [_panel_title(figure, t) for t in own if t.type != "scatter"]
        used = {
            f"{axis}axis{(t[f'{axis}axis'] or axis)[1:]}" for t in own for axis in "xy" if t.type in PLANE
        }
        empty = {f"{key}.visible": key in used for key in panels}
        args = [{"visible": [o == i for o in owner]}, {"annotations": titles, **empty}]
        buttons.append({"label": name, "method": "update", "args": args})
    for trace, i in zip(figure.data, owner, strict=True):
        trace.visible = i == 0
    figure.update_layout(buttons[0]["args"][1])
    return buttons


def _panel_title(figure: Any, trace: Any) -> dict[str, Any]:
    """The name of a trace, above its panel."""
    if trace.type == "isosurface":
        domain = figure.layout[trace.scene or "scene"].domain
        x, y = domain.x, domain.y
    else:
        x = figure.layout["xaxis" + (trace.xaxis or "x")[1:]].domain
        y = figure.layout["yaxis" + (trace.yaxis or "y")[1:]].domain
    place = {"x": sum(x) / 2, "y": y[1], "xref": "paper", "yref": "paper", "yanchor": "bottom"}
    return {"text": trace.name, "showarrow": False, **place}
