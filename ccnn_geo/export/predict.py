"""A file, an array, a ``Data``, or a shape of trimesh or open3d -> its class."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.pyg import Batch, Data
from ccnn_geo.export.classifier import is_pretrained, read_classifier
from ccnn_geo.export.sources import Source, read_source
from ccnn_geo.io import ShapeError
from ccnn_geo.io.models.checkpoint import BEST, load_checkpoint, run_folder
from ccnn_geo.nn.build import build_network, class_logits, num_outputs
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.limits import no_larger_than
from ccnn_geo.transforms.pipeline import ShapePipeline, network_inputs


@dataclass(frozen=True)
class Prediction:
    """What a classifier says about one shape.

    Args:
        label: The most probable class.
        probability: Of that class.
        probabilities: Of all classes, in the order of training.
    """

    label: str
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True, eq=False)
class ShapeClassifier:
    """A trained network with its classes and the pipeline that prepares its input.

    Args:
        network: In evaluation mode.
        classes: Names of its outputs.
        pipeline: From a mesh or cloud to the network's input, as in training.
    """

    network: CCNN
    classes: tuple[str, ...]
    pipeline: ShapePipeline

    @classmethod
    def load(cls, checkpoint: str | PathLike[str], device: torch.device | str = "cpu") -> ShapeClassifier:
        """Reads a checkpoint of ``ccnn-geo train``; nothing in it is executed.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not such a checkpoint, of shapes, or there is no such device.
        """
        _check_device(device)
        settings, network = read_network(checkpoint)
        if network.dim != 3 or network.readout != "global":
            name = settings["data"].get("dataset")
            raise ValueError(
                f"{checkpoint}: trained on {name}, expected a data set of shapes; test takes any, and "
                "after ccnn-geo export CCNN.from_pretrained reads its network"
            )
        try:
            pipeline = ShapePipeline.from_settings(settings["data"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"{checkpoint}: {error}") from error
        return cls(network.to(device).eval(), tuple(settings["classes"]), pipeline)

    @torch.no_grad()
    def __call__(self, source: Source) -> Prediction:
        """Classifies a shape, see :func:`predict`."""
        try:
            data = self.pipeline(read_source(source))
        except ValueError as error:
            if isinstance(error, ShapeError) or not isinstance(source, (str, PathLike)):
                raise
            raise ValueError(f"{source}: {error}") from error
        inputs = Data(**network_inputs(data))
        batch = Batch.from_data_list([inputs]).to(self.network.head.weight.device)
        values = class_logits(self.network(batch))[0].double().softmax(dim=0).tolist()
        if not all(map(isfinite, values)):
            where = f"{source}: " if isinstance(source, (str, PathLike)) else ""
            raise ValueError(f"{where}the network gives the probabilities {values}, expected finite numbers")
        best = max(range(len(values)), key=values.__getitem__)
        return Prediction(self.classes[best], values[best], dict(zip(self.classes, values, strict=True)))


def predict(
    model: ShapeClassifier | str | PathLike[str],
    source: Source,
    device: torch.device | str = "cpu",
) -> Prediction:
    """Classifies one shape with the sampling, normalisation and features of the training.

    The same source gives the same answer: the points are chosen with a fixed seed.

    Args:
        model: A checkpoint of ``ccnn-geo train``, the folder of a run (its best one) or of ``ccnn-geo export``, or a
            :class:`ShapeClassifier` to load it only once.
        source: A file (see :func:`ccnn_geo.io.read_shape`), an array, a ``Data`` with ``pos`` and perhaps
            ``face`` or ``normal``, or a mesh, cloud or scene of trimesh or open3d (see
            :func:`ccnn_geo.io.as_shape`).
        device: Where a checkpoint is loaded to.

    Shapes:
        - **array:** :math:`(N, 3)`, positions in any unit, or :math:`(N, 6)`, positions and normals,
          whose length is one; colours instead of normals are left out
        - **data:** ``pos`` :math:`(N, 3)`, ``face`` :math:`(3, F)`, ``normal`` :math:`(N, 3)`

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ShapeError: If the file or object is not a sound shape.
        ValueError: If the checkpoint, array or ``Data`` does not fit.
        TypeError: If the source is something else.
    """
    classifier = model if isinstance(model, ShapeClassifier) else ShapeClassifier.load(model, device)
    return classifier(source)


def read_checkpoint(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Settings and network weights of a checkpoint, read without executing anything.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a checkpoint of ``ccnn-geo train``, or a damaged one.
    """
    path = checkpoint_file(path)
    return checkpoint_parts(path, load_checkpoint(path))


def checkpoint_parts(path: Path, stored: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Settings and network weights of what :func:`~ccnn_geo.io.models.checkpoint.load_checkpoint` has read.

    Raises:
        ValueError: If it is not a checkpoint of ``ccnn-geo train``.
    """
    try:
        settings, weights = stored["hyper_parameters"], stored["state_dict"]
        missing = {"network", "classes", "in_channels", "data"} - set(settings)
        wrong = [key for key in ("network", "data") if not isinstance(settings.get(key, {}), dict)]
        tensors = {str(name): value for name, value in weights.items() if isinstance(value, Tensor)}
    except Exception as error:  # what another program has stored may be anything
        raise ValueError(f"{path}: not a checkpoint of ccnn-geo train ({type(error).__name__})") from error
    if missing or wrong:
        lacks = ", ".join([*sorted(missing), *(f"settings of {key}" for key in wrong)])
        raise ValueError(f"{path}: not a checkpoint of ccnn-geo train, without {lacks}")
    prefix = "network."
    return settings, {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def read_network(checkpoint: str | PathLike[str]) -> tuple[dict[str, Any], CCNN]:
    """Settings and network of a checkpoint, of a run, or of a folder of ``ccnn-geo export``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none of these, or of another release.
    """
    if is_pretrained(checkpoint):
        return read_classifier(checkpoint)
    settings, weights = read_checkpoint(checkpoint)
    try:
        outputs = num_outputs(len(settings["classes"]), settings.get("binary", False))
        # checkpoints of shapes alone did not say dim and readout
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


def _misfit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """The first tensor that is missing, too many, or of another shape, and how many there are of these."""
    shapes, given = ({key: list(t.shape) for key, t in part.items()} for part in (expected, found))
    wrong = [key for key in {**shapes, **given} if shapes.get(key) != given.get(key)]
    if not wrong:
        return "a tensor cannot be copied"
    first = wrong[0]
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"expected {first} {shapes.get(first, 'not there')}, got {given.get(first, 'none')}{more}"


def checkpoint_file(path: str | PathLike[str]) -> Path:
    """The file itself, or the best checkpoint in the folder of a run, of ``runs/NAME`` its newest run's."""
    path = Path(path).expanduser()
    inside = Path("checkpoints") / BEST
    return run_folder(path, inside) / inside if path.is_dir() else path


def _check_device(device: torch.device | str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = str(error).partition("\n")[0]
        raise ValueError(f"device {str(device)!r}: expected one that this machine has ({reason})") from error


class _CallableModule(ModuleType):
    """This module, called like its function: ``ccnn_geo.predict`` is both, whichever was imported first."""

    __call__ = staticmethod(predict)


sys.modules[__name__].__class__ = _CallableModule
