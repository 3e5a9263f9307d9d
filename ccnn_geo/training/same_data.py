"""Whether weights are for the data that they are about to see."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

INPUTS = ("in_channels", "dim", "readout")


def inputs_of(source: Any) -> dict[str, Any]:
    """What a data module says of the network: its values of :data:`INPUTS`."""
    return {key: getattr(source, key) for key in INPUTS}


def described(source: Any) -> dict[str, Any]:
    """What a data module says of the answers: names of ``classes``, and plain ``targets`` or None."""
    targets = source.targets
    return {"classes": list(source.classes), "targets": None if targets is None else targets.plain()}


def refuse_other_data(
    stored: Mapping[str, Any],
    classes: Sequence[str],
    inputs: Mapping[str, Any],
    part: str,
    targets: Mapping[str, Any] | None = None,
) -> None:
    """Compares a checkpoint's hyperparameters with the data at hand.

    Args:
        stored: Hyperparameters of the checkpoint.
        classes: Names of the classes of the data, in order.
        inputs: What :func:`inputs_of` says of the data.
        part: What the data is called in a message.
        targets: Of the data, plain; None of classes.

    Raises:
        ValueError: If classes, targets, channels, dimension or readout are others.
    """
    before, now = _targets(stored.get("targets")), _targets(targets)
    if before != now:
        raise ValueError(
            f"data: the checkpoint answers {before or 'classes'}, the {part} set has {now or 'classes'}"
        )
    if list(map(_composed, stored["classes"])) != list(map(_composed, classes)):
        raise ValueError(
            f"data: the checkpoint knows the classes {', '.join(stored['classes'])}, "
            f"the {part} set has {', '.join(classes)}"
        )
    known = {"dim": 3, "readout": "global", **stored}  # checkpoints of shapes alone did not say so
    for key in INPUTS:
        if known[key] != inputs[key]:
            raise ValueError(f"data: the checkpoint has {key} {known[key]}, the {part} set {inputs[key]}")


def _targets(plain: Mapping[str, Any] | None) -> str:
    """Names and units in words; empty for none."""
    pairs = [] if not plain else zip(plain["names"], plain["units"], strict=True)
    return ", ".join(f"{_composed(name)} [{unit}]" if unit else _composed(name) for name, unit in pairs)


def _composed(name: str) -> str:
    """A name in the one of its Unicode forms that all systems share; macOS writes another one."""
    return unicodedata.normalize("NFC", name)
