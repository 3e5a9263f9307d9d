"""What predictors and answers print stays a line, however many classes and points there are."""

from dataclasses import replace

import numpy as np
import pytest

from ccnn_geo import load
from ccnn_geo.export import PointPrediction, Prediction, SceneAnswer, ValuePrediction
from ccnn_geo.export.scenes.votes import Votes
from ccnn_geo.nn.targets import Targets

CLASSES = tuple(f"class {i}" for i in range(40))
VALUES = np.linspace(0, 1, 5000)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            Prediction("class 39", 1.0, dict(zip(CLASSES, VALUES.tolist(), strict=False))),
            "'class 39': 0.00780156, 'class 38': 0.00760152, 'class 37': 0.00740148, ... 40 in all}",
        ),
        (
            PointPrediction.of(np.tile(VALUES[:40], (5000, 1)), CLASSES),
            "labels=[5000], probability=[5000], classes=('class 0', 'class 1', 'class 2', ... 40 in all), "
            "probabilities=[5000, 40]",
        ),
        (
            ValuePrediction({"charge": VALUES}, {"charge": "e"}),
            "values={'charge': [5000]}, units={'charge': 'e'}",
        ),
        (SceneAnswer(VALUES, VALUES, VALUES), "label=[5000], probability=[5000], index=[5000]"),
    ],
)
def test_answers(answer, told):
    text = repr(answer)
    assert text.startswith(f"{type(answer).__name__}(") and told in text and len(text) < 250


def test_predictors():
    model = load("modelnet10")
    size = sum(p.numel() for p in model.network.parameters())
    told = f"Predictor(network=CCNN(4 -> 10, {size:,} parameters), classes=('bathtub', 'bed', 'chair', ... 10 in all), "
    assert repr(model) == f"{told}pipeline=ShapePipeline)"
    assert repr(model.upright("y")) == f"{told}pipeline=ShapePipeline, turn=TurnUp('y', 'z'))"
    assert "votes=Votes(rotations=2, subsets=1, seed=0)" in repr(replace(model, votes=Votes(2)))
    targets = Targets(("energy",), ("eV",), (0.0,), (1.0,))
    assert "pipeline=ShapePipeline, targets=('energy',))" in repr(replace(model, classes=(), targets=targets))
