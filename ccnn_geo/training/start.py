"""A training that starts from a trained network: its settings, and its weights under a new head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from torch import nn

from ccnn_geo.export.classifier import TRAINING
from ccnn_geo.export.trained import read_network
from ccnn_geo.nn.build import model_defaults
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.config import conv_defaults

HEADS = ("head.", "set_branch.linear.")
OF_ANSWERS = (*HEADS, "composition.")
"""What belongs to the answers of a training: other ones need others."""

OWN = ("in_channels", "out_channels", "dim", "readout", "conv", "preset")
"""Arguments of a network that follow from the data, or that stand for others."""


def settings_of(source: str | PathLike[str]) -> dict[str, dict[str, Any]]:
    """What a training takes over of a trained network: ``model``, and ``data`` but for root and batches.

    Args:
        source: Whatever :func:`~ccnn_geo.load` reads, but for the hub.

    Raises:
        FileNotFoundError, ValueError: As :func:`~ccnn_geo.export.trained.read_network`.
    """
    settings, network = read_network(source)
    known, given = model_defaults(), network.checked_config()
    model = {key: value for key, value in given.items() if key in known and key not in OWN}
    usual = conv_defaults()
    conv = {key: value for key, value in given.items() if key not in known and value != usual.get(key, value)}
    data = {
        key: value
        for key, value in settings["data"].items()
        if key not in (*TRAINING, "dataset_args") and value is not None
    }
    return {"model": {**model, "conv": {k: v for k, v in conv.items() if k not in OWN}}, "data": data}


def take_weights(network: CCNN, classes: Sequence[str], source: str | PathLike[str]) -> str:
    """Gives a network the weights of a trained one: all below the head, and the head where the classes are the same.

    Args:
        network: That is to be trained; it is changed.
        classes: Names of its outputs.
        source: As :func:`settings_of`.

    Returns:
        What was done, in words.

    Raises:
        ValueError: If it is another network.
    """
    settings, trained = read_network(source)
    stored, own = trained.state_dict(), network.state_dict()
    same = list(settings["classes"] or ()) == list(classes) and bool(classes)
    wanted = {key for key in own if same or not key.startswith(OF_ANSWERS)}
    wrong = sorted(key for key in wanted if key not in stored or stored[key].shape != own[key].shape)
    if wrong:
        found = list(stored[wrong[0]].shape) if wrong[0] in stored else "not there"
        raise ValueError(
            f"--from {source}: another network: {wrong[0]} is {list(own[wrong[0]].shape)} here and {found} there; "
            "model and features are those of the trained one unless others are given"
        )
    network.load_state_dict({**own, **{key: stored[key] for key in wanted}})
    return f"weights: those of {source}" + ("" if same else ", with a new head")


def freeze_trunk(network: nn.Module) -> None:
    """Lets nothing below the head learn."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(HEADS))


def rest_trunk(network: nn.Module) -> None:
    """Lets statistics of norms below the head stay as they are, while the head is trained."""
    for name, part in network.named_children():
        part.train(f"{name}." in HEADS)


def with_trunk_rate(
    groups: Sequence[Mapping[str, Any]], head: set[int], lr: float, factor: float
) -> list[dict[str, Any]]:
    """Groups of an optimizer in which what lies below the head learns at its own rate.

    Args:
        groups: Of all parameters.
        head: Identities of the head's.
        lr: Of the head.
        factor: By which that is multiplied below the head; 1 leaves the groups as they are, 0 leaves out what is there.
    """
    if factor == 1:
        return [dict(group) for group in groups]
    found = []
    for group in groups:
        above, below = ([p for p in group["params"] if (id(p) in head) == side] for side in (True, False))
        found.append({**group, "params": above})
        if factor > 0:
            found.append({**group, "params": below, "lr": lr * factor})
    return [group for group in found if group["params"]]
