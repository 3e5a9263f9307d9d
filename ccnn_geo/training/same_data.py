"""Checks that weights fit the data that they are about to see."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

INPUTS = ("in_channels", "dim", "readout")


def inputs_of(source: Any) -> dict[str, Any]:
    """Input properties of the network from a data module: its values of :data:`INPUTS`."""
    return {key: getattr(source, key) for key in INPUTS}


def described(source: Any) -> dict[str, Any]:
    """Outputs of the network from a data module: names of ``classes``, and plain ``targets`` or None."""
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
        classes: Names of the classes in the data, in order.
        inputs: The result of :func:`inputs_of` for the data.
        part: Name of the split in messages.
        targets: Plain targets of the data; None for classes.

    Raises:
        ValueError: If classes, targets, channels, dimension or readout differ.
    """
    before, now = _targets(stored.get("targets")), _targets(targets)
    if before != now:
        raise ValueError(
            f"data: the checkpoint predicts {before or 'classes'}, the {part} set has {now or 'classes'}"
        )
    if list(map(_composed, stored["classes"])) != list(map(_composed, classes)):
        raise ValueError(
            f"data: the checkpoint has the classes {', '.join(stored['classes'])}, "
            f"the {part} set has {', '.join(classes)}"
        )
    known = {"dim": 3, "readout": "global", **stored}  # old checkpoints of shapes lack these keys
    for key in INPUTS:
        if known[key] != inputs[key]:
            raise ValueError(f"data: the checkpoint has {key} {known[key]}, the {part} set {inputs[key]}")


def _targets(plain: Mapping[str, Any] | None) -> str:
    """Names and units in words; empty for None."""
    pairs = [] if not plain else zip(plain["names"], plain["units"], strict=True)
    return ", ".join(f"{_composed(name)} [{unit}]" if unit else _composed(name) for name, unit in pairs)


def _composed(name: str) -> str:
    """A name in the Unicode form that all systems share; macOS writes another form."""
    return unicodedata.normalize("NFC", name)
