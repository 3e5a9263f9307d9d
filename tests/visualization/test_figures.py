"""Figures show the numbers they are given, at their positions."""

import re
import sys

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.visualization import (
    Coloring,
    Sample,
    draw_kernels,
    draw_runs,
    draw_sample,
    kernel_page,
    read_runs,
    render_kernels,
    run_page,
    sample_page,
    save,
)

CSV = "epoch,train_loss,val_loss,val_acc,window_0,window_1\n1,2.0,2.5,0.25,0.3,0.4\n2,1.0,,,0.2,0.5\n"


def kernels(dim):
    model = CCNN(
        2, 3, dim, hidden_channels=5, num_blocks=1, kernel_hidden=4, omega_0=5.0, causal=dim == 1
    ).train()
    if dim < 3:
        model(torch.randn(2, 2, *[15] * dim))
    return render_kernels(model.eval(), resolution=7 if dim == 3 else None)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_kernels_are_drawn_where_they_are(dim):
    layers = kernels(dim)
    figure = draw_kernels(layers, [1], "a title", period=3)
    images = [axes for axes in figure.axes if axes.images]
    shown = images[-1].images[0]
    values, last = shown.get_array().data, layers[1]
    low, high = shown.get_clim()
    assert low == -high < 0  # white is zero
    left, right, bottom, top = shown.get_extent()
    if dim == 1:
        assert np.array_equal(values, last.values) and len(images) == 2
        assert (left, right) == (0, float(last.axes[0][-1]))
    elif dim == 2:  # rows run downwards
        assert np.array_equal(values, last.values[1]) and bottom > top
    else:  # z over y, z upwards
        assert np.array_equal(values[::-1].T, last.values[1, 3]) and len(images) == 6
    if dim > 1:
        step = float(last.axes[-1][1] - last.axes[-1][0])
        assert right - left == pytest.approx(step * (values.shape[1]), rel=1e-5)


def test_the_strongest_channels_are_shown_and_missing_ones_are_told():
    layers = kernels(2)
    titles = [axes.get_title() for axes in draw_kernels(layers[1:]).axes if axes.images]
    assert titles == [f"channel {c}" for c in range(5)]
    energy = layers[1].values.square().sum(dim=(1, 2))
    assert layers[1].strongest(2) == sorted(energy.argsort(descending=True)[:2].tolist())
    with pytest.raises(ValueError, match="channels of stem 0 to 1, got 4"):
        draw_kernels(layers, [4])


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_a_page_shows_one_layer_at_a_time_and_needs_no_network(dim, tmp_path):
    pytest.importorskip("plotly", reason="interactive pictures need the viz extra (plotly)")
    layers = kernels(dim)
    figure = kernel_page(layers, [0, 1], "a title")
    buttons = figure.layout.updatemenus[0].buttons
    assert [b.label for b in buttons] == ["stem", "block 1"]
    assert [t.visible for t in figure.data] == list(buttons[0].args[0]["visible"])
    assert all(a != b for a, b in zip(*(b.args[0]["visible"] for b in buttons), strict=True))
    last = figure.data[-1]
    values = {1: lambda: last.y, 2: lambda: last.z, 3: lambda: last.value}[dim]()
    assert np.allclose(np.asarray(values).ravel(), layers[1].values[1].flatten(), atol=1e-7)
    # from above: the title, the menu, the names of panels
    title, menu, top = figure.layout.title, figure.layout.updatemenus[0], figure.layout.margin.t
    assert (title.yref, title.yanchor, title.pad.t) == ("container", "top", 18)
    assert (menu.y, menu.yanchor) == (1, "bottom") and top - menu.pad.b - 34 >= title.pad.t + 17
    page = save(figure, tmp_path / "a" / "kernels.html").read_text(encoding="utf-8")
    assert f"height:max(100vh, {figure.layout.height}px)" in page.replace("height: max", "height:max")
    assert "a title" in page and not re.search(r"<(script|link)[^>]*(src|href)=", page)


def test_a_page_without_plotly_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(ImportError, match=r"interactive pages: needs plotly: pip install 'ccnn_geo\[viz\]'"):
        kernel_page(kernels(1))


def test_a_cloud_is_seen_from_three_sides():
    pos = torch.rand(30, 3)
    values = torch.randn(30)
    values[:10] = torch.nan
    sample, coloring = Sample("a", {"x": pos, "pos": pos}), Coloring(values, "title", "label", point=20)
    figure = draw_sample(sample, coloring)
    views = [axes for axes in figure.axes if axes.get_xlabel()]
    assert [(v.get_xlabel(), v.get_ylabel()) for v in views] == [("x", "y"), ("x", "z"), ("y", "z")]
    hidden, seen, mark = views[1].collections
    assert len(hidden.get_offsets()) == 10 and np.allclose(mark.get_offsets(), pos[20, [0, 2]])
    order = pos[10:, 1].argsort()  # what is nearer to the reader is drawn later
    assert np.allclose(seen.get_offsets(), pos[10:][order][:, [0, 2]])
    assert np.allclose(seen.get_array(), values[10:][order]) and seen.get_clim() == (
        -coloring.limit,
        coloring.limit,
    )


def test_a_cloud_to_turn_has_its_values():
    pytest.importorskip("plotly", reason="interactive pictures need the viz extra (plotly)")
    pos = torch.rand(30, 3)
    sample = Sample("a", {"x": pos, "pos": pos})
    both = {name: Coloring(torch.randn(30), name, "evidence") for name in ("cup", "jar")}
    figure = sample_page(sample, both)
    assert [t.visible for t in figure.data] == [True, False] and figure.layout.title.text == "cup"
    assert np.allclose(figure.data[1].marker.color, both["jar"].values) and np.allclose(
        figure.data[1].z, pos[:, 2]
    )
    assert list(figure.layout.updatemenus[0].buttons[1].args[0]["visible"]) == [False, True]


@pytest.mark.parametrize("size", [(20,), (6, 5)])
def test_grids_are_drawn_as_they_lie(size):
    x = torch.randn(1, 1, *size)
    sample, coloring = Sample("a", {"x": x}), Coloring(x.flatten(), "title", "label")
    figure = draw_sample(sample, coloring)
    if len(size) == 2:
        assert np.array_equal(figure.axes[1].images[0].get_array().data, x[0, 0])
    else:
        segments = np.array(figure.axes[1].collections[0].get_segments())
        assert np.allclose(segments[:, 1, 1], x[0, 0]) and np.allclose(
            segments[:, 0, 0], np.linspace(-1, 1, 20)
        )
    pytest.importorskip("plotly", reason="interactive pictures need the viz extra (plotly)")
    assert len(sample_page(sample, {"a": coloring}).data) == 3 - len(size)


def test_dense_volumes_are_refused():
    sample = Sample("a", {"x": torch.zeros(1, 1, 3, 3, 3)})
    with pytest.raises(ValueError, match=r"dense grid of \[3, 3, 3\] cells"):
        draw_sample(sample, Coloring(torch.zeros(27), "", ""))


def test_runs_side_by_side(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "x").mkdir(parents=True)
        (tmp_path / name / "x" / "metrics.csv").write_text(CSV)
    runs = read_runs([tmp_path / "a" / "x", tmp_path / "b" / "x"])
    assert list(runs) == ["a/x", "b/x"]
    windows, loss, accuracy = draw_runs(runs).axes
    assert [line.get_ydata().tolist() for line in windows.lines[:2]] == [[0.3, 0.2], [0.4, 0.5]]
    assert (
        windows.lines[2].get_linestyle() == "--"
        and windows.lines[0].get_color() == windows.lines[2].get_color()
    )
    named = {line.get_label(): line for line in (*loss.lines, *accuracy.lines)}
    assert named["b/x, validation"].get_xydata().tolist() == [[1, 25]]  # the second epoch did not validate
    pytest.importorskip("plotly", reason="interactive pictures need the viz extra (plotly)")
    lines = {t.name: t for t in run_page(runs).data}
    assert list(lines["b/x: layer 1"].y) == [0.4, 0.5] and list(lines["a/x: training loss"].y) == [2, 1]


def test_runs_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no metrics\.csv, expected the folder of a run"):
        read_runs([tmp_path])
    with pytest.raises(ValueError, match="expected different runs"):
        read_runs([tmp_path, tmp_path])
    (tmp_path / "metrics.csv").write_text("")
    with pytest.raises(ValueError, match="no complete epoch"):
        read_runs([tmp_path])
