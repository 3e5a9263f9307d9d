"""A value per point of a cloud as an interactive plotly figure: to rotate, with the values under the pointer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ccnn_geo.visualization.canvas import DIVERGING, lay_out_page, plotly_graphs
from ccnn_geo.visualization.colorings import Coloring
from ccnn_geo.visualization.sample_values import Sample

VIEW = {"x": 1.5, "y": 1.5, "z": 1.1}
"""Position of the eye, far enough for the nearest points and the labels below them."""


def sample_page(sample: Sample, colorings: Mapping[str, Coloring]) -> Any:
    """Shows a sample coloured by values, with a menu if there are several: a cloud to rotate, an image, a sequence.

    Args:
        sample: A cloud or grid.
        colorings: Colourings by their name in the menu; the first one is shown initially.

    Returns:
        A ``plotly.graph_objects.Figure``.

    Raises:
        ImportError: If plotly is not installed.
        ValueError: If the sample is a dense volume.
    """
    figure = plotly_graphs().Figure()
    owner = []
    for name, coloring in colorings.items():
        traces = _traces(sample, coloring)
        figure.add_traces(traces)
        owner += [name] * len(traces)
    shown = {name: [o == name for o in owner] for name in colorings}
    first = next(iter(colorings))
    for trace, visible in zip(figure.data, shown[first], strict=True):
        trace.visible = visible
    buttons = [
        {"label": name, "method": "update", "args": [{"visible": shown[name]}, {"title.text": c.title}]}
        for name, c in colorings.items()
    ]
    lay_out_page(figure, colorings[first].title, 560, buttons).update_layout(showlegend=False)
    if sample.pos.size(1) == 3:
        figure.update_scenes(aspectmode="data", camera={"eye": VIEW, "center": {"x": 0, "y": 0, "z": -0.1}})
    elif sample.pos.size(1) == 2:
        figure.update_yaxes(scaleanchor="x", autorange=True if sample.is_points else "reversed")
    else:
        figure.update_xaxes(title_text="position")
    return figure


def _traces(sample: Sample, coloring: Coloring) -> list[Any]:
    graphs = plotly_graphs()
    pos, values = sample.pos.cpu().float().numpy(), coloring.values.cpu().float().numpy()
    dim, colors = pos.shape[1], {"colorscale": DIVERGING, "cmin": -coloring.limit, "cmax": coloring.limit}
    if dim == 1:
        x = sample.inputs["x"].cpu().float()
        signal = (x if sample.is_points else x[0].T).numpy()
        lines = [
            graphs.Scatter(
                x=pos[:, 0], y=s, mode="lines", line={"width": 1, "color": "silver"}, name=f"input {i}"
            )
            for i, s in enumerate(signal.T)
        ]
        return [
            *lines,
            graphs.Bar(x=pos[:, 0], y=values, marker={"color": values, **colors}, name=coloring.label),
        ]
    if not sample.is_points:
        if dim == 3:
            raise ValueError(
                f"{sample.name}: a dense grid of {list(sample.size)} cells, expected points or an image"
            )
        grid = values.reshape(sample.size)
        limits = {"zmin": -coloring.limit, "zmax": coloring.limit, "colorscale": DIVERGING}
        return [graphs.Heatmap(z=grid, colorbar={"title": coloring.label}, **limits)]
    kept = ~np.isnan(values)
    traces = []
    if not kept.all():
        traces.append(_points(pos[~kept], np.flatnonzero(~kept), None, {"color": "lightgray", "size": 2}))
    marker = {"color": values[kept], "size": 5, "colorbar": {"title": {"text": coloring.label}}, **colors}
    traces.append(_points(pos[kept], np.flatnonzero(kept), values[kept], marker))
    if coloring.point is not None:
        at = [coloring.point]
        traces.append(_points(pos[at], np.array(at), None, {"color": "black", "size": 7, "symbol": "x"}))
    return traces


def _points(pos: np.ndarray, numbers: np.ndarray, values: np.ndarray | None, marker: dict[str, Any]) -> Any:
    graphs = plotly_graphs()
    names = "xyz"[: pos.shape[1]]
    hover = ", ".join(f"{a} %{{{a}:.2f}}" for a in names)
    text = "point %{customdata[0]:d}<br>" + hover
    if values is not None:
        text += "<br>%{customdata[1]:.3g}"
    data = numbers[:, None] if values is None else np.stack([numbers, values], axis=1)
    cls = graphs.Scatter3d if len(names) == 3 else graphs.Scattergl
    return cls(
        **dict(zip(names, pos.T, strict=True)), mode="markers", marker=marker, customdata=data,
        hovertemplate=text + "<extra></extra>",
    )  # fmt: skip
