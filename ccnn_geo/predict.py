"""A file, an array, a ``Data``, or a shape of trimesh or open3d -> its class."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from ccnn_geo.exchange.classifier import is_pretrained, read_classifier
from ccnn_geo.io import LARGEST, Shape, ShapeError, as_shape
from ccnn_geo.io.objects import ShapeLike
from ccnn_geo.model import CCNN
from ccnn_geo.training.checkpoint_file import load_checkpoint
from ccnn_geo.training.network import build_network, class_logits, num_outputs
from ccnn_geo.training.pipeline import ShapePipeline, network_inputs

INDEX = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
Source: TypeAlias = str | PathLike[str] | np.ndarray | Tensor | Data | ShapeLike


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
                f"{checkpoint}: trained on {name}, expected a data set of shapes; test takes any"
            )
        pipeline = ShapePipeline.from_settings(settings["data"])
        return cls(network.to(device).eval(), tuple(settings["classes"]), pipeline)

    @torch.no_grad()
    def __call__(self, source: Source) -> Prediction:
        """Classifies a shape, see :func:`predict`."""
        try:
            data = self.pipeline(_read(source))
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
        - **array:** :math:`(N, 3)`, positions in any unit, or :math:`(N, 6)`, positions and normals
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
    stored = load_checkpoint(path)
    try:
        settings, weights = stored["hyper_parameters"], stored["state_dict"]
        missing = {"network", "classes", "in_channels", "data"} - set(settings)
    except Exception as error:  # what another program has stored may be anything
        raise ValueError(f"{path}: not a checkpoint of ccnn-geo train ({type(error).__name__})") from error
    if missing:
        raise ValueError(f"{path}: not a checkpoint of ccnn-geo train, without {', '.join(sorted(missing))}")
    prefix = "network."
    return settings, {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def read_network(checkpoint: str | PathLike[str]) -> tuple[dict[str, Any], CCNN]:
    """Settings and network of a checkpoint, of a run, or of a folder of ``ccnn-geo export``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none of these, or of another release.
    """
    if is_pretrained(checkpoint):
        return read_classifier(checkpoint)
    settings, weights = read_checkpoint(checkpoint)
    outputs = num_outputs(len(settings["classes"]), settings.get("binary", False))
    # checkpoints of shapes alone did not say dim and readout
    shape = settings.get("dim", 3), settings.get("readout", "global")
    try:
        network = build_network(settings["in_channels"], outputs, *shape, **settings["network"])
        network.load_state_dict(weights)
    except TypeError as error:
        raise ValueError(f"{checkpoint}: of another release of ccnn_geo ({error})") from error
    except RuntimeError as error:
        raise ValueError(f"{checkpoint}: the weights do not fit the network ({error})") from error
    return settings, network


def checkpoint_file(path: str | PathLike[str]) -> Path:
    """The file itself, or the best checkpoint in the folder of a run."""
    path = Path(path).expanduser()
    return path / "checkpoints" / "best.ckpt" if path.is_dir() else path


def _check_device(device: torch.device | str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = str(error).partition("\n")[0]
        raise ValueError(f"device {str(device)!r}: expected one that this machine has ({reason})") from error


def _read(source: Source) -> Data:
    if isinstance(source, Data):
        return _checked(source)
    if isinstance(source, (np.ndarray, Tensor)):
        if isinstance(source, Tensor):
            source = source.detach().cpu()
            # numpy has no bfloat16
            array = (source.float() if source.dtype == torch.bfloat16 else source).numpy()
        else:
            array = source
        if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] not in (3, 6):
            raise ValueError(
                "predict: expected an array [N, 3] (positions) or [N, 6] (and normals) of real numbers, "
                f"got {list(array.shape)} of {array.dtype}"
            )
        array = array.astype(np.float64)
        return _checked(Shape(array[:, :3], None, array[:, 3:] if array.shape[1] == 6 else None).to_data())
    try:
        return as_shape(source).to_data()
    except TypeError as error:
        raise TypeError(
            "predict: expected a path, an array, a Data, or a mesh, cloud or scene of trimesh or open3d, got "
            f"{type(source).__name__}"
        ) from error


def _checked(data: Data) -> Data:
    """Positions, faces and normals of a cloud or mesh, and nothing else."""
    pos = data.pos
    if not isinstance(pos, Tensor) or pos.dim() != 2 or pos.size(1) != 3 or pos.size(0) == 0:
        raise ValueError(f"predict: expected pos [N, 3] with N > 0, got {data}")
    if pos.is_complex() or not bool(torch.isfinite(pos).all()):
        raise ValueError(f"predict: expected finite positions, got NaN, Inf or complex numbers in {data}")
    clean = Data(pos=pos.detach().cpu().double())
    if clean.pos.abs().max() > LARGEST:
        raise ValueError(
            f"predict: expected coordinates of at most {LARGEST:g}, got {clean.pos.abs().max():g}"
        )
    face, normal = data.get("face"), data.get("normal")
    if face is not None:
        if (
            not isinstance(face, Tensor)
            or face.dtype not in INDEX
            or face.shape[:1] != (3,)
            or face.dim() != 2
        ):
            raise ValueError(f"predict: expected face [3, F] of integers, got {_described(face)}")
        if face.numel() and not 0 <= int(face.min()) <= int(face.max()) < len(pos):
            raise ValueError(
                f"predict: expected face of 0 to {len(pos) - 1}, got {int(face.min())} to {int(face.max())}"
            )
        clean.face = face.detach().cpu().long()
    if normal is not None:
        if not isinstance(normal, Tensor) or normal.is_complex() or normal.shape != pos.shape:
            raise ValueError(f"predict: expected normal {list(pos.shape)} as pos, got {_described(normal)}")
        clean.normal = normal.detach().cpu().double()
    return clean


def _described(value: object) -> str:
    return f"{list(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
