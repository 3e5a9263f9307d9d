"""Checks that a split has enough known truths to learn from, or to evaluate on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def point_labels(samples: Any) -> Iterator[Any]:
    """Labels of the points or cells of each sample; those of cells as stored, without augmentation.

    None for a sample of scans that have no labels at all.
    """
    stored = getattr(samples, "cell_labels", None)
    return (sample.y for sample in samples) if stored is None else stored()


def check_known(samples: Any, split: str, task: str) -> None:
    """Refuses a split without any known truth; reads labels of points until it finds one.

    Args:
        samples: Samples of the split.
        split: Name of the split, for the message.
        task: The task that they have truths for.

    Raises:
        ValueError: If no target has a value, or no point a class.
    """
    if task == "regression" and bool(samples.y.isnan().all()):
        names = ", ".join(samples.target_names)
        raise ValueError(f"targets: no value of {names} in the {split} set, expected some")
    if task == "segmentation" and not any(
        y is not None and bool((y >= 0).any()) for y in point_labels(samples)
    ):
        raise ValueError(f"labels: none in the {split} set, expected some")


def check_same_targets(train: Any, other: Any, split: str) -> None:
    """Refuses a split with other targets than those that a network learns.

    Args:
        train: Training samples.
        other: Samples of the split.
        split: Name of the split.

    Raises:
        ValueError: If names or units differ; the message gives both.
    """
    known, given = _heads(train), _heads(other)
    if given != known:
        raise ValueError(
            f"targets of {split} are {', '.join(given)}, those of train {', '.join(known)}; expected the same, in the "
            "same order and units"
        )


def _heads(samples: Any) -> list[str]:
    pairs = zip(samples.target_names, samples.target_units, strict=True)
    return [f"{name} [{unit}]" if unit else name for name, unit in pairs]
