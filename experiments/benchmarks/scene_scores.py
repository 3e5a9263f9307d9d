"""How well a trained network labels whole scans, at full resolution: intersection over union of each class.

python -m ccnn_geo.experiments.benchmarks.scene_scores CHECKPOINT [SCAN ...] [--split test] [--picture scores.png]

The scans are those of a split of the data set that the network was trained on, or files that are named.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ccnn_geo._base.extras import needs
from ccnn_geo.datasets.scenes.lidar import LidarFrames
from ccnn_geo.export.scenes.answer import OVERLAP, answer_scene
from ccnn_geo.export.scenes.confusion import scene_confusion
from ccnn_geo.export.trained import read_network
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.transforms.pipelines.scans import ScanPipeline
from ccnn_geo.transforms.scan_points import class_labels


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the scores of the classes, and draws the first scan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint of ccnn-geo train, or a run")
    parser.add_argument("scans", type=Path, nargs="*", help="files with labels")
    parser.add_argument("--split", default="test", help="whose scans are taken if no file is named")
    parser.add_argument("--overlap", type=float, default=OVERLAP, help="part of a tile shared with the next")
    parser.add_argument("--rotations", type=int, default=1, help="turns about the vertical axis that vote")
    parser.add_argument("--subsets", type=int, default=1, help="thinnings that vote")
    parser.add_argument("--picture", type=Path, help="a PNG of truth, answer and error of the first scan")
    args = parser.parse_args(arguments)
    network, settings = trained(args.checkpoint)
    pipeline = pipeline_of(settings)
    paths = args.scans or open_split(settings, args.split).paths
    options = {"overlap": args.overlap, "rotations": args.rotations, "subsets": args.subsets}
    matrix = scene_confusion(network, pipeline, paths, **options)
    print(table(matrix, list(pipeline.classes or ())))
    if args.picture is not None:
        draw(network, pipeline, paths[0], options, args.picture)


def trained(checkpoint: Path) -> tuple[CCNN, dict[str, Any]]:
    """A network, ready to answer, and the settings of its training."""
    settings, network = read_network(checkpoint)
    return network.eval(), settings


def open_split(settings: dict[str, Any], split: str) -> LidarFrames:
    """Scans of a split, as the training has read them."""
    data = settings["data"]
    return LidarFrames(data["root"], split, **(data.get("dataset_args") or {}))


def pipeline_of(settings: dict[str, Any]) -> ScanPipeline:
    """What the training has done to its samples."""
    pipeline = open_split(settings, "train").pipeline
    return replace(pipeline, num_points=settings["data"].get("num_points"))


def table(matrix: Tensor, classes: Sequence[int]) -> str:
    """Points, accuracy and intersection over union of each class, and their means over those that are there."""
    hits, truth, found = (t.double() for t in (matrix.diagonal(), matrix.sum(1), matrix.sum(0)))
    lines = [f"{'class':>8s} {'points':>10s} {'accuracy':>9s} {'IoU':>7s}"]
    for i, code in enumerate(classes):
        if truth[i] + found[i] > 0:
            share, iou = 100 * hits[i] / truth[i], 100 * hits[i] / (truth[i] + found[i] - hits[i])
            lines.append(f"{code:8d} {int(truth[i]):10,d} {share:7.1f} % {iou:5.1f} %")
    there = truth > 0
    iou = (hits / (truth + found - hits))[there].mean()
    lines.append(
        f"{int(truth.sum()):,} points: accuracy {100 * hits.sum() / truth.sum():.1f} %, mean-class accuracy "
        f"{100 * (hits / truth)[there].mean():.1f} %, mean IoU {100 * iou:.1f} %"
    )
    return "\n".join(lines)


def draw(network: CCNN, pipeline: ScanPipeline, path: Path, options: dict[str, Any], target: Path) -> None:
    """A PNG of a scan from above: the labels, the answer, and where they differ; higher points over lower ones."""
    with needs("viz", "scene_scores --picture"):
        from matplotlib.colors import ListedColormap
        from matplotlib.figure import Figure
    frame, answer = pipeline.read(path), answer_scene(network, pipeline, path, **options)
    if frame.labels is None or len(frame.labels) != len(answer.index):
        raise ValueError(f"{path}: expected labels and a position of every point")
    truth = class_labels(frame.labels, pipeline.classes)
    order = np.argsort(frame.xyz[:, 2])
    codes = list(pipeline.classes or ())
    colours = ListedColormap([f"C{i}" for i in range(len(codes))])
    figure = Figure(figsize=(15, 6), layout="constrained")
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    wrong = np.where(truth < 0, 0, truth != answer.index)
    images = (("labels", truth, colours), ("answer", answer.index, colours), ("error", wrong, "Reds"))
    for place, (title, values, cmap) in zip(axes, images, strict=True):
        x, y = frame.xyz[order, :2].T
        shown = place.scatter(x, y, 0.6, values[order], cmap=cmap, vmin=0, vmax=values.max(initial=1))
        place.set(title=title, aspect="equal")
        if title == "answer":
            shown.set_clim(0, len(codes) - 1)
            bar = figure.colorbar(shown, ax=place, ticks=range(len(codes)), shrink=0.6)
            bar.ax.set_yticklabels([str(code) for code in codes])
        if title == "labels":
            shown.set_clim(0, len(codes) - 1)
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main()
