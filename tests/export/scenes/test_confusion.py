"""Confusion at full resolution: every labelled point of every file once, against a plain loop."""

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.experiments.benchmarks.scene_scores import table
from ccnn_geo.export.scenes.answer import answer_scene
from ccnn_geo.export.scenes.confusion import scene_confusion
from ccnn_geo.transforms.pipelines.scans import ScanPipeline

PLAN = ScanPipeline(unit=10.0, tile=20.0, voxel=4.0, classes=[1, 2, 9])


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = CCNN(1, 3, 3, readout="node", hidden_channels=4, num_blocks=1, kernel_hidden=4, num_neighbors=8)
    network(torch.randn(200, 1), torch.rand(200, 3) * 2 - 1)
    return network.eval()


def write_bin(path, num, codes=(1, 2, 9, 5)):
    rng = np.random.default_rng(num)
    rows = rng.uniform(0, 1, (num, 4)) * [50, 30, 4, 1]
    rows.astype("<f4").tofile(path)
    labels = rng.choice(codes, num)
    labels.astype("<u4").tofile(path.with_suffix(".label"))
    return labels


def test_every_labelled_point_counts_once(network, tmp_path):
    expected = np.zeros((3, 3), np.int64)
    for name, num in (("a.bin", 700), ("b.bin", 300)):
        labels = write_bin(tmp_path / name, num)
        found = answer_scene(network, PLAN, tmp_path / name).label
        for truth, answer in zip(labels, found, strict=True):
            if truth != 5:
                expected[[1, 2, 9].index(truth), [1, 2, 9].index(answer)] += 1
    matrix = scene_confusion(network, PLAN, [tmp_path / "a.bin", tmp_path / "b.bin"])
    assert np.array_equal(matrix, expected) and 600 < matrix.sum() < 1000


def test_a_scan_without_labels_is_named(network, tmp_path):
    write_bin(tmp_path / "a.bin", 100, codes=(5,))
    with pytest.raises(ValueError, match=r"a\.bin: no labelled points, expected some of classes \[1, 2, 9\]"):
        scene_confusion(network, PLAN, [tmp_path / "a.bin"])
    with pytest.raises(ValueError, match="expected a pipeline with classes"):
        scene_confusion(network, ScanPipeline(), [tmp_path / "a.bin"])


def test_the_table_of_scores():
    lines = table(torch.tensor([[6, 2, 0], [1, 3, 0], [0, 0, 0]]), [1, 2, 9]).splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["1", "8", "75.0", "%", "66.7", "%"],
        ["2", "4", "75.0", "%", "50.0", "%"],
    ]
    assert lines[3] == "12 points: accuracy 75.0 %, mean-class accuracy 75.0 %, mean IoU 58.3 %"
