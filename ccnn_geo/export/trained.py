"""Reads the settings and the network from a checkpoint, a run, or a folder of a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from ccnn_geo.export.classifier import is_pretrained, read_classifier
from ccnn_geo.export.packaged import packaged_folder
from ccnn_geo.io.models.checkpoint import BEST, load_checkpoint, run_folder
from ccnn_geo.nn.build import build_network, outputs_of
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.limits import no_larger_than


def read_network(checkpoint: str | PathLike[str]) -> tuple[dict[str, Any], CCNN]:
    """Settings and network from a checkpoint, a run, or a folder of ``ccnn-geo export``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none of these, or belongs to another release.
    """
    checkpoint = packaged_folder(checkpoint) or checkpoint
    if is_pretrained(checkpoint):
        return read_classifier(checkpoint)
    settings, weights = read_checkpoint(checkpoint)
    try:
        outputs = outputs_of(settings)
        # old checkpoints of shapes lack dim and readout
        shape = settings.get("dim", 3), settings.get("readout", "global")
        with no_larger_than(weights):
            network = build_network(settings["in_channels"], outputs, *shape, **settings["network"])
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise ValueError(f"{checkpoint}: of another release of ccnn_geo, or damaged ({error})") from error
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        misfit = _misfit(network.state_dict(), weights)
        raise ValueError(f"{checkpoint}: the weights do not fit the network: {misfit}") from error
    return settings, network


def read_checkpoint(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Settings and network weights of a checkpoint, read without executing anything.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a checkpoint of ``ccnn-geo train``, or a damaged one.
    """
    path = checkpoint_file(path)
    return checkpoint_parts(path, load_checkpoint(path))


def checkpoint_parts(path: Path, stored: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Settings and network weights from the result of :func:`~ccnn_geo.io.models.checkpoint.load_checkpoint`.

    Raises:
        ValueError: If it is not a checkpoint of ``ccnn-geo train``.
    """
    try:
        settings, weights = stored["hyper_parameters"], stored["state_dict"]
        missing = {"network", "classes", "in_channels", "data"} - set(settings)
        wrong = [key for key in ("network", "data") if not isinstance(settings.get(key, {}), dict)]
        tensors = {str(name): value for name, value in weights.items() if isinstance(value, Tensor)}
    except Exception as error:  # other programs may store anything
        raise ValueError(f"{path}: not a checkpoint of ccnn-geo train ({type(error).__name__})") from error
    if missing or wrong:
        lacks = ", ".join([*sorted(missing), *(f"settings of {key}" for key in wrong)])
        raise ValueError(f"{path}: not a checkpoint of ccnn-geo train, without {lacks}")
    prefix = "network."
    return settings, {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _misfit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """Describes the first tensor that is missing, superfluous, or of another shape, and counts the others."""
    shapes, given = ({key: list(t.shape) for key, t in part.items()} for part in (expected, found))
    wrong = [key for key in {**shapes, **given} if shapes.get(key) != given.get(key)]
    if not wrong:
        return "a tensor cannot be copied"
    first = wrong[0]
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"expected {first} {shapes.get(first, 'missing')}, got {given.get(first, 'none')}{more}"


def checkpoint_file(path: str | PathLike[str]) -> Path:
    """The file itself, or the best checkpoint in the folder of a run; for ``runs/NAME``, that of its newest run."""
    path = Path(path).expanduser()
    inside = Path("checkpoints") / BEST
    return run_folder(path, inside) / inside if path.is_dir() else path
