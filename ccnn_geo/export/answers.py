"""Predictions of a network for a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from torch import Tensor

from ccnn_geo.export.short import short_repr
from ccnn_geo.nn.build import class_logits
from ccnn_geo.nn.targets import Targets


@dataclass(frozen=True)
class Prediction:
    """The prediction of a classifier for one sample.

    Args:
        label: The most probable class.
        probability: Probability of that class.
        probabilities: Probabilities of all classes, in the order of training.

    Example:
        >>> found = Prediction("cup", 0.75, {"mug": 0.25, "cup": 0.75})
        >>> f"{found.label}: {found.probability:.0%}"
        'cup: 75%'
        >>> sorted(found.probabilities, key=found.probabilities.get, reverse=True)
        ['cup', 'mug']
        >>> found
        Prediction(label='cup', probability=0.75, probabilities={'cup': 0.75, 'mug': 0.25})
    """

    label: str
    probability: float
    probabilities: dict[str, float]

    def __repr__(self) -> str:
        best = dict(sorted(self.probabilities.items(), key=lambda item: -item[1]))
        return short_repr(self, label=self.label, probability=self.probability, probabilities=best)


@dataclass(frozen=True, eq=False)
class PointPrediction:
    """The predictions of a network for each point, cell or time step of one sample.

    Args:
        labels: Index of the most probable class, ``[N]`` or ``[*S]``; -1 for a point of a scan without a position.
        probability: Probability of that class, ``[N]`` or ``[*S]``, float32.
        classes: Names of the classes, in the order of training.
        probabilities: Probabilities of all classes, ``[N, K]`` or ``[*S, K]``, float32; None for a scan, which may be
            large.
        elements: The elements with a class each: ``points``, or ``faces`` of a mesh.

    Example:
        >>> found = PointPrediction.of(torch.tensor([[0.25, 0.75], [0.5, 0.5]]).numpy(), ("road", "tree"))
        >>> found.labels.tolist(), found.probability.tolist()
        ([1, 0], [0.75, 0.5])
        >>> found
        PointPrediction(labels=[2], probability=[2], classes=('road', 'tree'), probabilities=[2, 2], elements='points')
    """

    labels: np.ndarray
    probability: np.ndarray
    classes: tuple[str, ...]
    probabilities: np.ndarray | None = None
    elements: str = "points"

    def __repr__(self) -> str:
        return short_repr(self, **vars(self))

    @classmethod
    def of(cls, probabilities: np.ndarray, classes: Sequence[str]) -> PointPrediction:
        """Makes predictions from class probabilities."""
        return cls(probabilities.argmax(axis=-1), probabilities.max(axis=-1), tuple(classes), probabilities)


@dataclass(frozen=True, eq=False)
class ValuePrediction:
    """The prediction of a regression for one sample, in the units of its targets.

    Args:
        values: A number for each target by name, or an array ``[N]`` or ``[*S]`` with one for each point.
        units: Units of the targets by name; empty for none.

    Example:
        >>> found = ValuePrediction({"energy": -417.0}, {"energy": "kcal/mol"})
        >>> f"{found.values['energy']} {found.units['energy']}"
        '-417.0 kcal/mol'
        >>> found
        ValuePrediction(values={'energy': -417.0}, units={'energy': 'kcal/mol'})
    """

    values: Mapping[str, float | np.ndarray]
    units: Mapping[str, str]

    def __repr__(self) -> str:
        return short_repr(self, **vars(self))


Answer: TypeAlias = Prediction | PointPrediction | ValuePrediction


def class_answer(outputs: Tensor, classes: Sequence[str]) -> Prediction:
    """The prediction for one sample, from outputs ``[K]``.

    Raises:
        ValueError: If they are not finite.
    """
    values = _softmax(outputs)
    numbers = values.tolist()
    best = max(range(len(numbers)), key=numbers.__getitem__)
    return Prediction(classes[best], numbers[best], dict(zip(classes, numbers, strict=True)))


def point_answer(outputs: Tensor, classes: Sequence[str]) -> PointPrediction:
    """The predictions for the points of one sample, from outputs ``[*, K]``.

    Raises:
        ValueError: If one is not finite.
    """
    return PointPrediction.of(_softmax(outputs).astype(np.float32), classes)


def value_answer(outputs: Tensor, targets: Targets) -> ValuePrediction:
    """Values in the units of the targets, from outputs ``[T]`` for a sample or ``[*, T]`` for its points.

    Raises:
        ValueError: If one is not finite.
    """
    values = targets.restore(outputs.cpu()).numpy()
    if not np.isfinite(values).all():
        raise ValueError(
            f"the network gives {np.count_nonzero(~np.isfinite(values))} values that are not finite"
        )
    columns = [values[..., i].item() if values.ndim == 1 else values[..., i] for i in range(values.shape[-1])]
    return ValuePrediction(
        dict(zip(targets.names, columns, strict=True)), dict(zip(targets.names, targets.units, strict=True))
    )


def _softmax(outputs: Tensor) -> np.ndarray:
    values = class_logits(outputs).double().softmax(dim=-1).cpu().numpy()
    if not np.isfinite(values).all():
        found = values.tolist() if values.ndim == 1 else f"{np.count_nonzero(~np.isfinite(values))} of them"
        raise ValueError(f"the network gives the probabilities {found}, expected finite numbers")
    return values
