"""Whether weights are for the data that they are about to see."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

INPUTS = ("in_channels", "dim", "readout")


def inputs_of(source: Any) -> dict[str, Any]:
    """What a data module says of the network: its values of :data:`INPUTS`."""
    return {key: getattr(source, key) for key in INPUTS}


def refuse_other_data(
    stored: Mapping[str, Any], classes: Sequence[str], inputs: Mapping[str, Any], part: str
) -> None:
    """Compares a checkpoint's hyperparameters with the data at hand.

    Args:
        stored: Hyperparameters of the checkpoint.
        classes: Names of the classes of the data, in order.
        inputs: What :func:`inputs_of` says of the data.
        part: What the data is called in a message.

    Raises:
        ValueError: If classes, channels, dimension or readout are others.
    """
    if list(map(_composed, stored["classes"])) != list(map(_composed, classes)):
        raise ValueError(
            f"data: the checkpoint knows the classes {', '.join(stored['classes'])}, "
            f"the {part} set has {', '.join(classes)}"
        )
    before = {"dim": 3, "readout": "global", **stored}  # checkpoints of shapes alone did not say so
    for key in INPUTS:
        if before[key] != inputs[key]:
            raise ValueError(f"data: the checkpoint has {key} {before[key]}, the {part} set {inputs[key]}")


def _composed(name: str) -> str:
    """A name in the one of its Unicode forms that all systems share; macOS writes another one."""
    return unicodedata.normalize("NFC", name)
