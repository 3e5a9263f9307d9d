"""Starts a training from a trained network: its settings, and its weights under a new head."""

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
"""Settings that depend on the outputs of a training; other outputs need other settings."""

OWN = ("in_channels", "out_channels", "dim", "readout", "conv", "preset")
"""Arguments of a network that follow from the data, or that replace others."""


def settings_of(source: str | PathLike[str]) -> dict[str, dict[str, Any]]:
    """The settings that a training takes from a trained network: ``model``, and ``data`` without root and batches.

    Args:
        source: Any source that :func:`~ccnn_geo.load` reads, except the hub.

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
    """Copies the weights of a trained network: all below the head, and the head if the classes are the same.

    Args:
        network: The network to train; it is changed.
        classes: Names of its outputs.
        source: As for :func:`settings_of`.

    Returns:
        A description in words.

    Raises:
        ValueError: If the networks differ.
    """
    settings, trained = read_network(source)
    stored, own = trained.state_dict(), network.state_dict()
    same = list(settings["classes"] or ()) == list(classes) and bool(classes)
    wanted = {key for key in own if same or not key.startswith(OF_ANSWERS)}
    wrong = sorted(key for key in wanted if key not in stored or stored[key].shape != own[key].shape)
    if wrong:
        found = list(stored[wrong[0]].shape) if wrong[0] in stored else "missing"
        raise ValueError(
            f"--from {source}: a different network: {wrong[0]} is {list(own[wrong[0]].shape)} here and {found} there; "
            "model and features come from the trained network unless they are set"
        )
    network.load_state_dict({**own, **{key: stored[key] for key in wanted}})
    return f"weights: from {source}" + ("" if same else ", with a new head")


def freeze_trunk(network: nn.Module) -> None:
    """Freezes everything below the head."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(HEADS))


def rest_trunk(network: nn.Module) -> None:
    """Freezes the running statistics of norms below the head while the head is trained."""
    for name, part in network.named_children():
        part.train(f"{name}." in HEADS)


def with_trunk_rate(
    groups: Sequence[Mapping[str, Any]], head: set[int], lr: float, factor: float
) -> list[dict[str, Any]]:
    """Groups of an optimizer that train everything below the head at its own rate.

    Args:
        groups: Groups of all parameters.
        head: Identities of the head's parameters.
        lr: Learning rate of the head.
        factor: Factor on this rate below the head; 1 leaves the groups unchanged, 0 drops those parameters.
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
