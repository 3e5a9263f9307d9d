"""Scores of parts by hand, and those of a network that is right, wrong, or in another category."""

import numpy as np
import pytest

from ccnn_geo.experiments.benchmarks import part_scores
from ccnn_geo.export import PointPrediction
from ccnn_geo.io.shapes.shape import Shape


def test_areas_are_those_of_polygons():
    square = np.array([[0.0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]])
    shape = Shape(square, np.array([[0, 1, 2], [0, 1, 2], [0, 2, 3]]), corners=np.array([3, 4, 2]))
    assert part_scores.areas(shape).tolist() == [2, 4, 0]
    assert part_scores.areas(Shape(square)).tolist() == [1] * 4


def test_score_by_hand():
    truth = ["cup/a", "cup/a", "cup/b", "cup/b", None]
    answer = ["cup/a", "cup/b", "cup/b", "cup/b", "cup/c"]
    found = part_scores.score(truth, answer, np.array([1.0, 2, 3, 4, 100]), "cup")
    assert found == (pytest.approx(0.8), pytest.approx((1 / 3 + 7 / 9) / 2), True)
    assert not part_scores.score(truth, ["mug/a"] * 5, np.ones(5), "cup").category
    assert part_scores.score(["a", "b"], ["a", "b"], np.ones(2), "cup") == (1.0, 1.0, True)


def test_all_shapes_of_a_folder(tmp_path, monkeypatch, capsys):
    class Known:
        classes = ("chair/leg", "chair/seat", "cup/body")

        def __call__(self, path):
            labels = [0, 1] if path.parent.name == "chair" else [2, 0]
            return PointPrediction(np.array(labels), np.ones(2), self.classes)

    for category, names in (("chair", ("leg", "seat")), ("cup", ("body", "body"))):
        (tmp_path / category).mkdir()
        rows = "OFF\n4 2 0\n0 0 0\n1 0 0\n0 1 0\n1 1 0\n3 0 1 2\n3 1 2 3\n"
        (tmp_path / category / "0.off").write_text(rows)
        text = "".join(f"{name}\n{i + 1}\n" for i, name in enumerate(names))
        (tmp_path / category / "0_labels.txt").write_text(text)
    monkeypatch.setattr(part_scores, "load", lambda run: Known())
    part_scores.main(["run", str(tmp_path)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert lines[0] == ["chair", "1", "1", "of", "1", "100.0", "%", "100.0", "%"]
    assert lines[1] == ["cup", "1", "0", "of", "1", "50.0", "%", "25.0", "%"]
    assert lines[2][:5] == ["all", "2", "1", "of", "2"]
