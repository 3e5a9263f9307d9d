"""Scores of a trained network on whole scans, at full resolution: intersection over union of each class.

python -m ccnn_geo.experiments.benchmarks.scene_scores CHECKPOINT [SCAN ...] [--split test] [--picture scores.png]

The scans come from a split of the data set that the network was trained on, or are the given files.
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
from ccnn_geo.visualization.canvas import canvas


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the scores of the classes, and draws the first scan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint of ccnn-geo train, or a run")
    parser.add_argument("scans", type=Path, nargs="*", help="files with labels")
    parser.add_argument("--split", default="test", help="split of the scans, if no files are given")
    parser.add_argument(
        "--overlap", type=float, default=OVERLAP, help="share of a tile in common with the next"
    )
    parser.add_argument("--rotations", type=int, default=1, help="turns about the vertical axis that vote")
    parser.add_argument("--subsets", type=int, default=1, help="thinnings that vote")
    parser.add_argument(
        "--picture", type=Path, help="a PNG of labels, predictions and errors of the first scan"
    )
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
    """Loads a network for prediction, with the settings of its training."""
    settings, network = read_network(checkpoint)
    return network.eval(), settings


def open_split(settings: dict[str, Any], split: str) -> LidarFrames:
    """Opens the scans of a split, as in training."""
    data = settings["data"]
    return LidarFrames(data["root"], split, **(data.get("dataset_args") or {}))


def pipeline_of(settings: dict[str, Any]) -> ScanPipeline:
    """Returns the pipeline of the training's samples."""
    pipeline = open_split(settings, "train").pipeline
    return replace(pipeline, num_points=settings["data"].get("num_points"))


def table(matrix: Tensor, classes: Sequence[int]) -> str:
    """Points, accuracy and intersection over union of each class, and their means over classes with points."""
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
    """Draws a PNG of a scan from above: labels, predictions, and their differences; lower points over higher ones."""
    frame, answer = pipeline.read(path), answer_scene(network, pipeline, path, **options)
    if frame.labels is None or len(frame.labels) != len(answer.index):
        raise ValueError(f"{path}: expected labels and a position of every point")
    truth, codes = class_labels(frame.labels, pipeline.classes), list(pipeline.classes or ())
    wide, high = np.ptp(frame.xyz[:, :2], axis=0)
    figure = canvas(3 * min(12.0, 8 * wide / high) + 1, 8)
    with needs("viz", "scene_scores --picture"):
        from matplotlib.colors import ListedColormap
    colours = ListedColormap([f"C{i}" for i in range(len(codes))])
    wrong = (truth >= 0) & (truth != answer.index)
    lowest, errors = np.argsort(-frame.xyz[:, 2]), np.argsort(wrong, kind="stable")
    for place, (title, values, order) in zip(
        figure.subplots(1, 3, sharex=True, sharey=True),
        (("labels", truth, lowest), ("answer", answer.index, lowest), ("error", wrong, errors)),
        strict=True,
    ):
        x, y = frame.xyz[order, :2].T
        look = ("Greys", -0.2, 1) if title == "error" else (colours, -0.5, len(codes) - 0.5)
        place.scatter(x, y, 1.0, values[order], cmap=look[0], vmin=look[1], vmax=look[2])
        place.set(title=title, aspect="equal")
    bar = figure.colorbar(
        figure.axes[1].collections[0], ax=figure.axes[:3], ticks=range(len(codes)), shrink=0.5
    )
    bar.ax.set_yticklabels([str(code) for code in codes])
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main()
