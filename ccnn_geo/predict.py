"""A file, an array or a ``Data`` -> the class of a shape."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from ccnn_geo.io import Shape, read_shape
from ccnn_geo.model import CCNN
from ccnn_geo.training.network import build_network
from ccnn_geo.training.pipeline import ShapePipeline

Source = str | PathLike[str] | np.ndarray | Tensor | Data


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
            ValueError: If it is not such a checkpoint.
        """
        settings, weights = read_checkpoint(checkpoint)
        network = build_network(settings["in_channels"], len(settings["classes"]), **settings["network"])
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"{checkpoint}: the weights do not fit the network ({error})") from error
        pipeline = ShapePipeline.from_settings(settings["data"])
        return cls(network.to(device).eval(), tuple(settings["classes"]), pipeline)

    @torch.no_grad()
    def __call__(self, source: Source) -> Prediction:
        """Classifies a shape, see :func:`predict`."""
        data = self.pipeline(_read(source))
        batch = Batch.from_data_list([Data(x=data.x, pos=data.pos)]).to(self.network.head.weight.device)
        values = self.network(batch)[0].double().softmax(dim=0).tolist()
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
        model: A checkpoint of ``ccnn-geo train``, or a :class:`ShapeClassifier` to load it only once.
        source: A file (see :func:`ccnn_geo.io.read_shape`), an array, or a ``Data`` with ``pos`` and perhaps
            ``face`` or ``normal``.
        device: Where a checkpoint is loaded to.

    Shapes:
        - **array:** :math:`(N, 3)`, positions in any unit, or :math:`(N, 6)`, positions and normals
        - **data:** ``pos`` :math:`(N, 3)`, ``face`` :math:`(3, F)`, ``normal`` :math:`(N, 3)`

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ShapeError: If the file is not a readable shape.
        ValueError: If the checkpoint, array or ``Data`` does not fit.
        TypeError: If the source is something else.
    """
    classifier = model if isinstance(model, ShapeClassifier) else ShapeClassifier.load(model, device)
    return classifier(source)


def read_checkpoint(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Settings and network weights of a checkpoint, read without executing anything.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a checkpoint of ``ccnn-geo train``.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        settings, weights = stored["hyper_parameters"], stored["state_dict"]
        missing = {"network", "classes", "in_channels", "data"} - set(settings)
    except (
        Exception
    ) as error:  # a damaged or foreign file raises anything: UnpicklingError, EOFError, KeyError
        raise ValueError(f"{path}: not a checkpoint of ccnn-geo train ({type(error).__name__})") from error
    if missing:
        raise ValueError(f"{path}: not a checkpoint of ccnn-geo train, without {', '.join(sorted(missing))}")
    prefix = "network."
    return settings, {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def _read(source: Source) -> Data:
    if isinstance(source, (str, PathLike)):
        return read_shape(source).to_data()
    if isinstance(source, Data):
        return _checked(source)
    if isinstance(source, (np.ndarray, Tensor)):
        array = source.detach().cpu().numpy() if isinstance(source, Tensor) else source
        if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] not in (3, 6):
            raise ValueError(
                "predict: expected an array [N, 3] (positions) or [N, 6] (and normals) of real numbers, "
                f"got {list(array.shape)} of {array.dtype}"
            )
        array = array.astype(np.float64)
        return _checked(Shape(array[:, :3], None, array[:, 3:] if array.shape[1] == 6 else None).to_data())
    raise TypeError(f"predict: expected a path, an array or a Data, got {type(source).__name__}")


def _checked(data: Data) -> Data:
    """Positions, faces and normals of a cloud or mesh, and nothing else."""
    pos = data.pos
    if not isinstance(pos, Tensor) or pos.dim() != 2 or pos.size(1) != 3 or pos.size(0) == 0:
        raise ValueError(f"predict: expected pos [N, 3] with N > 0, got {data}")
    if not bool(torch.isfinite(pos).all()):
        raise ValueError(f"predict: expected finite positions, got NaN or Inf in {data}")
    clean = Data(pos=pos.detach().cpu().double())
    for key in ("face", "normal"):
        if data.get(key) is not None:
            value = data[key].detach().cpu()
            clean[key] = value.double() if key == "normal" else value
    return clean
