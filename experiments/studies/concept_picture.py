"""The picture of docs/concepts.md: one kernel, on pixels and on points.

python -m ccnn_geo.experiments.studies.concept_picture --out concept.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from ccnn_geo import SepFlexConv
from ccnn_geo.functional.representations import grid_positions
from ccnn_geo.visualization.canvas import DIVERGING, canvas, save

SIZE = 25
"""Pixels along an axis."""
POINTS = 900
FINE = 201


def signal(pos: Tensor) -> Tensor:
    """Two blobs and a stripe at positions ``[N, 2]``, ``[N, 1]``."""
    centres = torch.tensor([[-0.4, -0.3], [0.45, 0.4]])
    blobs = (-((pos[:, None] - centres) ** 2).sum(dim=2) / 0.03).exp().sum(dim=1)
    return (blobs + (-((pos.sum(dim=1) + 0.6) ** 2) / 0.01).exp())[:, None]


def layer() -> SepFlexConv:
    """The layer of the picture, untrained."""
    torch.manual_seed(4)
    return SepFlexConv(1, 1, dim=2, kernel_hidden=16, omega_0=2.0, window_init=0.35)


def pixel_positions() -> Tensor:
    """Centres of the pixels, ``[SIZE^2, 2]``."""
    return grid_positions((SIZE, SIZE))


def sum_of_pixels(conv: SepFlexConv, image: Tensor) -> Tensor:
    """``sum_j k(p_i - p_j) x_j`` over an image ``[SIZE^2, 1]``, ``[SIZE, SIZE]``."""
    return conv.aggregate_neighbors(image.T.reshape(1, 1, SIZE, SIZE))[0, 0]


def sum_of_points(conv: SepFlexConv, pos: Tensor, weight: Tensor) -> Tensor:
    """``sum_j w_j k(p_i - p_j) x_j`` over all points, ``[N]``."""
    return conv.aggregate_neighbors(signal(pos), pos, weight=weight)[:, 0]


def draw(path: Path) -> Path:
    """Draws the kernel, its values at pixels and at points, and the sums over both."""
    conv, pixels = layer(), pixel_positions()
    cloud = torch.rand(POINTS, 2) * 2 - 1
    with torch.no_grad():
        on_grid = sum_of_pixels(conv, signal(pixels))
        # a point stands for the area of 4 / POINTS, a pixel for its spacing squared
        weight = torch.full((POINTS,), 4 / POINTS / (2 / (SIZE - 1)) ** 2)
        on_points = sum_of_points(conv, cloud, weight)
        axis = torch.linspace(-0.6, 0.6, FINE)
        fine = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1).flatten(0, 1)
        around = {
            name: pos[(pos.abs() < 0.6).all(dim=1)] for name, pos in (("pixels", pixels), ("points", cloud))
        }
        values = {name: _kernel(conv, pos) for name, pos in (("fine", fine), *around.items())}
    largest = values["fine"].abs().max().item()
    colors = {"cmap": DIVERGING, "vmin": -largest, "vmax": largest}

    figure = canvas(13, 3.3)
    kernel, taps, spread, grid, points = figure.subplots(1, 5)
    kernel.imshow(
        values["fine"].reshape(FINE, FINE).T.numpy(), extent=(-0.6, 0.6, -0.6, 0.6), origin="lower", **colors
    )
    kernel.set_title("the kernel: a network of\nrelative positions", fontsize=9)
    for axes, name, marker in ((taps, "pixels", "s"), (spread, "points", "o")):
        size = 42 if marker == "s" else 16
        axes.scatter(*around[name].T.numpy(), c=values[name].numpy(), s=size, marker=marker, **colors)
        axes.set_title(f"what {name} see of it", fontsize=9)
    shared = {"vmin": on_grid.min().item(), "vmax": on_grid.max().item()}
    grid.imshow(on_grid.T.numpy(), extent=(-1, 1, -1, 1), origin="lower", **shared)
    points.scatter(*cloud.T.numpy(), c=on_points.numpy(), s=9, **shared)
    grid.set_title(f"the sum over {SIZE} x {SIZE} pixels", fontsize=9)
    points.set_title(f"the sum over {POINTS} random points", fontsize=9)
    for axes in (kernel, taps, spread, grid, points):
        axes.set(aspect="equal", xticks=[], yticks=[])
    return save(figure, path)


def _kernel(conv: SepFlexConv, offsets: Tensor) -> Tensor:
    return conv.kernel(offsets)[:, 0]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command with these arguments."""
    parser = argparse.ArgumentParser(description="the picture of docs/concepts.md")
    parser.add_argument("--out", type=Path, default=Path("concept.png"))
    print(draw(parser.parse_args(arguments).out))


if __name__ == "__main__":
    main()
