"""The study of parts: folds with labels, scores by their definition, and rows by category."""

import numpy as np
import pytest
import torch

from ccnn_geo.datasets.shapes.part_folder import PARTS
from ccnn_geo.experiments.data.folds import fold_folder
from ccnn_geo.experiments.engine.reproduction import Options
from ccnn_geo.experiments.studies import labelled_parts as study
from ccnn_geo.experiments.studies.held_out import recipe_settings
from ccnn_geo.nn.build import build_network

TINY = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 4}


@pytest.fixture
def root(tmp_path):
    """Clouds of two categories, whose upper and lower halves are parts of other names; labels beside some."""
    rng = np.random.default_rng(0)
    for category, low, high in (("cup", "foot", "bowl"), ("lamp", "stand", "shade")):
        folder = tmp_path / "root/train" / category
        folder.mkdir(parents=True)
        for i in range(5):
            pos = rng.uniform(-1, 1, (40, 3))
            upper = np.flatnonzero(pos[:, 2] > 0)
            np.savetxt(folder / f"{i}.xyz", pos)
            rows = {low: np.setdiff1d(np.arange(40), upper), high: upper}
            text = "".join(f"{name}\n{' '.join(map(str, own + 1))}\n" for name, own in rows.items())
            (folder / f"{i}_labels.txt").write_text(text)
    return tmp_path / "root"


@pytest.mark.parametrize("name", study.ROWS)
def test_all_rows_build_networks(name):
    row = study.ROWS[name]
    config = recipe_settings(study.RECIPE)(row.method, "root", 0)
    if not (peer := config["model"].get("peer")):
        build_network(7, 94, readout="node", **config["model"])
    assert (peer is None) == (config["optim"]["lr"] == 0.01)


def test_folds_take_labels_along(root, tmp_path):
    out = fold_folder(root, tmp_path / "fold", 1, 5, PARTS)
    held = sorted(path.name for path in (out / "validation/cup").iterdir())
    assert held == ["1.xyz", "1_labels.txt"]
    assert (out / "validation/cup/1_labels.txt").read_text() == (root / "train/cup/1_labels.txt").read_text()
    assert len(list((out / "train/lamp").iterdir())) == 8


def job_numbers(root, folder, name, monkeypatch, **changes):
    monkeypatch.setattr(study, "EPOCHS", {"full": 12})
    monkeypatch.setattr(study, "apart", lambda function, *args: function(*args))
    settings = study.recipe_settings

    def tiny(recipe):
        def make(method, root, seed):
            config = settings(recipe)(method, root, seed)
            config["data"] |= {"num_points": 32, "num_samples": 40, **changes}
            config["model"] = TINY if "peer" not in config["model"] else config["model"]
            return config

        return make

    monkeypatch.setattr(study, "recipe_settings", tiny)
    job = {job.name: job for job in study.jobs(Options("full", root, (0,)))}[name]
    place = folder / "study/jobs" / name
    place.mkdir(parents=True)
    return job.run(place)


@pytest.mark.parametrize("name", ("ccnn_4_32-0", "pointnet2-1", "each-2"))
def test_a_job_counts_the_points_of_each_part(root, tmp_path, monkeypatch, name):
    found = job_numbers(root, tmp_path, name, monkeypatch)
    names = ["cup/bowl", "cup/foot", "lamp/shade", "lamp/stand"]
    assert sorted(found["both"]) == sorted(found["either"]) == names
    assert found["points"] == 2 * 32 and len(found["shapes"]) == 2
    assert sum(found["both"].values()) == found["right"]
    # each point is in one union if it is right, in two if not, for no answer is of another category
    assert sum(found["either"].values()) == 2 * found["points"] - found["right"]
    assert found["right"] > 32  # halves are easily learned


def test_scores_are_those_of_the_definition():
    either = {"cup/a": 10, "cup/b": 4, "lamp/c": 0}
    one = {"both": {"cup/a": 5, "cup/b": 1, "lamp/c": 0}, "either": either, "right": 6, "points": 8}
    numbers = {f"x-{i}": {**one, "shapes": [50.0, 100.0 * (i == 0)]} for i in range(5)}
    found = study.scores(numbers, "x", 0)
    assert found["points"] == pytest.approx(75.0)
    assert found["parts"] == pytest.approx((50 + 25) / 2)
    assert found["shapes"] == pytest.approx((5 * 50 + 100) / 10)
    said, truth = torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 2, 2])
    both, union = study.overlaps(said, truth, 4)
    assert both.tolist() == [1, 1, 1, 0] and union.tolist() == [1, 2, 2, 0]


def test_the_report_compares_with_the_reference(tmp_path):
    one = {
        "both": {"a/b": 1},
        "either": {"a/b": 2},
        "right": 1,
        "points": 2,
        "parameters": 1234,
        "seconds": 90.0,
    }
    numbers = {
        f"{name}-{i}": {**one, "shapes": [40.0 + 2 * (name != "pointnet2")]}
        for name in study.SCALES["small"]
        for i in range(5)
    }
    text = study.report(numbers, Options("small", tmp_path, (0,)), tmp_path)
    assert "| PointNet++ (SSG) | 1,234 | 50.0 | 50.0 | 40.0 |  | 1.5 |" in text
    assert "| CCNN-4,32 | 1,234 | 50.0 | 50.0 | 42.0 | +2.0 | 1.5 |" in text
