"""The study of missing normals: what the same weights see, and the table it writes."""

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.experiments.engine.reproduction import Options
from ccnn_geo.experiments.studies import without_normals
from ccnn_geo.training.data.families import make_data
from tests.fixtures.shapes_on_disk import write_clouds


@pytest.mark.parametrize(("features", "same"), [(["constant", "pos"], True), (["normal", "pos"], False)])
def test_only_normals_differ(tmp_path, monkeypatch, features, same):
    """A network that sees positions alone does not notice; one that sees normals does."""
    write_clouds(tmp_path / "shapes", {"train": 2, "validation": 4})
    given = {"dataset": "folder", "root": str(tmp_path / "shapes"), "num_points": 32, "num_samples": 128}
    settings = {**given, "batch_size": 4, "features": features}
    data = make_data(settings)
    data.setup("fit")
    torch.manual_seed(0)
    model = CCNN(data.in_channels, len(data.classes), 3, 4, 1, kernel_hidden=4, num_neighbors=8)
    seen = []
    model.stem.register_forward_pre_hook(lambda module, args: seen.append(args[0].clone()))
    monkeypatch.setattr(without_normals, "train", lambda *args, **options: {})
    monkeypatch.setattr(without_normals, "read_network", lambda path: ({"data": settings}, model))
    row = next(iter(without_normals.ROWS))
    found = without_normals.compare(Options("small", tmp_path, (0,)), row, 0, tmp_path)
    assert set(found) == set(without_normals.LOSSES)
    half = len(seen) // 2
    equal = [torch.equal(a, b) for a, b in zip(seen[:half], seen[half:], strict=True)]
    assert all(equal) if same else not any(equal)


def test_report_has_a_row_per_training(tmp_path):
    options = Options("small", tmp_path, (0, 1))
    numbers = {}
    for job in without_normals.jobs(options):
        accuracy = 70.0 + job.name.endswith("1")
        numbers[job.name] = {"with normals": accuracy, "without": 60.0, "seconds": [90.0, 120.0]}
    text = without_normals.report(numbers, options, tmp_path)
    assert len(numbers) == 2 * len(without_normals.ROWS)
    assert "| constant, position | 70.5 ± 0.7 | 60.0 ± 0.0 | 2.0 |" in text
