"""Whether what is known of the samples of a split is enough to learn from, or to measure answers by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def point_labels(samples: Any) -> Iterator[Any]:
    """Labels of the points or cells of each sample; of cells as they are stored, whatever augmentation does.

    None of a sample of scans of which none has labels.
    """
    stored = getattr(samples, "cell_labels", None)
    return (sample.y for sample in samples) if stored is None else stored()


def check_known(samples: Any, split: str, task: str) -> None:
    """Finds samples of which nothing is known; labels of points are read until there is one.

    Args:
        samples: Of the split.
        split: For the message.
        task: What they have truths for.

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
    """Finds a split whose targets are others than those that a network learns.

    Args:
        train: What is trained on.
        other: The samples of the split.
        split: Its name.

    Raises:
        ValueError: If names or units differ; says both.
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
