"""Pathfinder as images and as sequences, at toy size."""

import json

import pytest
import torch

from ccnn_geo.datasets.images.pathfinder import Pathfinder, Pathfinder2D
from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import pathfinder_2d
from ccnn_geo.training.runs import find_config


@pytest.fixture
def toy(monkeypatch):
    """Forty images of 16 x 16, one epoch."""
    drawing = {**pathfinder_2d.DRAWING, "size": 16, "contour": 3}
    images = {"generate": 40, "drawing": drawing, "num_workers": 0}
    changes = {"data__dataset_args": images, "data__batch_size": 16, "trainer__max_epochs": 1}
    monkeypatch.setattr(pathfinder_2d, "SHARED", pathfinder_2d.SHARED | changes)


def test_an_image_network_answers_clouds_of_pixels_alike(toy, trained_here, tmp_path, monkeypatch):
    monkeypatch.setattr(pathfinder_2d, "test", lambda folder: 65.0)
    found = pathfinder_2d.run(pathfinder_2d.ROWS[0], Options("small", None, (0,)), 0, tmp_path)
    assert found["on_points"] == pytest.approx(found["accuracy"]) and found["test"] == 65
    assert 0 <= found["difference"] < 1e-3 and found["parameters"] == 5277


def test_rows_show_the_same_images(tmp_path):
    """To networks of one width, in one order of magnitude of parameters, for as many steps."""
    given = {**pathfinder_2d.SHARED["data__dataset_args"], "generate": 250}
    images, sequences = Pathfinder2D(tmp_path, **given), Pathfinder(tmp_path, **given)
    assert images.size == (20, 20) and sequences.size == (400,)
    for (image, label), (sequence, other) in zip(images, sequences, strict=True):
        assert torch.equal(image.flatten(), sequence.flatten()) and label == other
    epochs = [(pathfinder_2d.SHARED | row.small)["trainer__max_epochs"] for row in pathfinder_2d.ROWS]
    assert epochs[0] == epochs[1] and epochs[2] == 2 * epochs[0]


@pytest.mark.parametrize(("scale", "count"), [("small", 3), ("paper", 2)])
def test_report(scale, count, tmp_path, monkeypatch):
    """With trainings that give numbers at once; each names a configuration that there is."""
    asked = []

    def train(folder, config, seed, **changes):
        asked.append((config, changes))
        curve = [60.0 + seed, 70.0 + seed]
        numbers = {"accuracy": curve[-1], "curve": curve, "training_curve": curve}
        return {**numbers, "seconds": [30.0, 60.0], "parameters": 1234}

    monkeypatch.setattr(pathfinder_2d, "train", train)
    monkeypatch.setattr(pathfinder_2d, "test", lambda folder: 65.0)
    monkeypatch.setattr(pathfinder_2d, "as_points", lambda path: {"on_points": 71.5, "difference": 2e-5})
    root = None if scale == "small" else tmp_path
    options = Options(scale, root, (0, 2))
    text = run_study(pathfinder_2d.STUDY, options, tmp_path / "out", say=str).read_text()
    rows = [line for line in text.splitlines() if "| 1,234 | 71.0 ± 1.4 | 71.0 ± 1.4 | 65.0 ± 0.0 |" in line]
    assert len(rows) == count == len(asked) / 2 and (tmp_path / "out/curves.png").exists()
    assert ("clouds of their pixels: 71.5 ± 0.0 %; logits differ by 2e-05" in text) == (scale == "small")
    assert all(find_config(config).is_file() for config, _ in asked)
    assert all(("model__preset" in changes) == (scale == "small") for _, changes in asked)
    assert len(json.loads((tmp_path / "out/results.json").read_text())["jobs"]) == 2 * count


def test_the_paper_scale_needs_its_files(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"pathfinder_2d: expected --root FOLDER with lra/pathfinder32"
    ):
        run_study(pathfinder_2d.STUDY, Options("paper", None, (0,)), tmp_path)
