"""The study of thinned clouds: what it compares, and the tables it writes."""

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.experiments.engine.reproduction import Options
from ccnn_geo.experiments.studies import thinned
from ccnn_geo.training.data.families import make_data
from tests.fixtures.shapes_on_disk import write_clouds


def test_the_same_points_are_compared(tmp_path):
    write_clouds(tmp_path / "shapes", {"train": 2, "validation": 2})
    settings = {"dataset": "folder", "root": str(tmp_path / "shapes"), "num_points": 32, "num_samples": 128}
    data = make_data({**settings, "batch_size": 4})
    data.setup("fit")
    torch.manual_seed(0)
    model = CCNN(6, len(data.classes), 3, 4, 1, kernel_hidden=4, omega_0=0.5, num_neighbors=8)
    expected = thinned.outputs(model, data, True, 1.0)
    shapes = len(expected[0])
    assert len(expected[2]) == 32 * shapes
    for share, draw, points in ((1.0, None, 32), (1.0, 0, 18), (0.5625, None, 18), (2.0, None, 64)):
        found = thinned.outputs(model, data, True, share, draw)
        assert len(found[2]) == points * shapes and torch.equal(found[1], expected[1])
        scores = thinned.score(found, expected)
        assert (scores["logits"] == 0) == (points == 32) and (scores["features"] == 0) == (points == 32)


def test_score_is_relative():
    logits, classes = torch.eye(3), torch.arange(3)
    features = {(0, 0): torch.ones(2), (0, 1): torch.ones(2)}
    other = {(0, 1): torch.zeros(2), (0, 5): torch.ones(2)}
    found = thinned.score((1.5 * logits, classes, other), (logits, classes, features))
    assert found == pytest.approx({"accuracy": 100, "logits": 50, "features": 100})


def test_report_has_a_row_per_variant(tmp_path):
    options = Options("small", tmp_path, (0, 1))
    row = {name: {"accuracy": 70.0, "logits": 20.0, "features": 10.0} for name in thinned.SAMPLINGS}
    numbers = {job.name: row for job in thinned.jobs(options)}
    text = thinned.report(numbers, options, tmp_path)
    assert len(numbers) == 2 * len(thinned.VARIANTS)
    for variant in thinned.VARIANTS:
        assert text.count(f"| {variant} |") == 3
    assert f"| {variant} | 70.0 ± 0.0 | 70.0 ± 0.0 | 70.0 ± 0.0 | 70.0 ± 0.0 |" in text
