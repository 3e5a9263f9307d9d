"""bfloat16 beside float32: the study at toy size, and its report."""

from dataclasses import replace

import pytest
import torch

from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.engine.task_study import Small
from ccnn_geo.experiments.studies import precision
from ccnn_geo.experiments.studies.pathfinder_2d import DRAWING
from ccnn_geo.experiments.studies.precision import FULL, MIXED
from ccnn_geo.training.runs import find_config
from tests.fixtures.shapes_on_disk import write_clouds

DRAWN = {"generate": 40, "drawing": {**DRAWING, "size": 16, "contour": 3}, "num_workers": 0}
TOY = {
    "points": Small(
        "clouds",
        {
            "data__num_points": 32,
            "data__batch_size": 4,
            "model__num_neighbors": 8,
            "model__preset": "ccnn_4_16",
            "model__num_blocks": 1,
        },
        "shapes",
        "shapes",
        config="shapes/ccnn_4_32",
    ),
    "images": Small(
        "contours",
        {"data__dataset_args": DRAWN, "model__preset": "ccnn_4_16", "model__num_blocks": 1},
        config="pathfinder2d/ccnn_4_140",
    ),
}


@pytest.mark.parametrize("name", TOY)
def test_both_precisions_are_trained_and_timed(name, tmp_path, monkeypatch, trained_here):
    # pictures take longer than so short a training
    monkeypatch.setattr("ccnn_geo.visualization.run_plots.draw_training", lambda *_: None)
    write_clouds(tmp_path / "shapes", {"train": 4, "validation": 2})
    small = replace(TOY[name], options={**TOY[name].options, "trainer__max_epochs": 1})
    task = replace(next(t for t in precision.TASKS if t.name == name), small=small)
    options = Options("small", tmp_path, (0,))
    full, mixed = (precision.compare(options, task, p, 0, tmp_path / p) for p in (FULL, MIXED))
    assert "step" not in full and set(mixed["step"]) == {FULL, MIXED} and min(mixed["step"].values()) > 0
    assert mixed["loss"] != full["loss"]  # it was another precision,
    assert mixed["training_loss"] == pytest.approx(full["training_loss"], rel=0.02)  # and the same training
    for kind in (FULL, MIXED):
        checkpoint = torch.load(tmp_path / kind / "run/checkpoints/last.ckpt", weights_only=True)
        kept = [t for t in checkpoint["state_dict"].values() if t.is_floating_point()]
        assert all(t.dtype == torch.float32 for t in kept)


@pytest.mark.parametrize("scale", ["small", "paper"])
def test_report_compares_seed_by_seed(scale, tmp_path, monkeypatch):
    """With trainings that give numbers at once, where the lower precision loses a point, and two with seed 2."""

    def compare(options, task, kind, seed, folder):
        worse = (1 + seed / 2) * (kind == MIXED)
        curve = [60.0, 80.0 + seed - worse]
        found = {"accuracy": curve[-1], "curve": curve, "training_curve": curve, "seconds": [30.0, 60.0]}
        found |= {"parameters": 1234, "loss": 0.5, "training_loss": 0.25}
        return found | ({"step": {FULL: 0.2, MIXED: 0.1 * (1 + seed)}} if kind == MIXED else {})

    monkeypatch.setattr(precision, "compare", compare)
    for folder in ("shapes", "mnist", "ModelNet40"):
        (tmp_path / folder).mkdir()
    text = run_study(precision.STUDY, Options(scale, tmp_path, (0, 2)), tmp_path / "out", say=str).read_text()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if "| 1,234 |" in line]
    names = (
        ["points", "images", "sequences"] if scale == "small" else ["points", "sequences"]
    )  # no CIFAR10 there
    assert [row[:2] for row in rows] == [[name, kind] for name in names for kind in (FULL, MIXED)]
    assert rows[0][3:] == ["0.250 ± 0.000", "0.500 ± 0.000", "81.0 ± 1.4", "", "1.00", "200", "1.00"]
    assert rows[1][5:] == ["79.5 ± 0.7", "-1.5 ± 0.7", "1.00", "200", "1.00"]
    assert (tmp_path / "out/curves.png").exists()
    for task in precision.TASKS:
        assert find_config(task.small.config or f"{task.config}/ccnn_4_140").is_file()
        assert find_config(f"{task.config}/ccnn_4_140{task.suffix}").is_file()


def test_a_folder_without_data_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected one or more of shapes/, mnist/"):
        run_study(precision.STUDY, Options("small", tmp_path, (0,)), tmp_path / "out")
