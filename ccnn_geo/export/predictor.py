"""A file, an array, a ``Data``, or a shape of trimesh or open3d -> its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from ccnn_geo._base.pyg import Batch, Data
from ccnn_geo.export.classifier import read_classifier
from ccnn_geo.export.trained import read_network
from ccnn_geo.io.models.hub import find_folder, may_be_on_hub
from ccnn_geo.io.shapes.shape import ShapeError
from ccnn_geo.nn.build import class_logits
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.transforms.pipelines.shape_sources import Source, read_source
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline, network_inputs


@dataclass(frozen=True)
class Prediction:
    """What a classifier says about one shape.

    Args:
        label: The most probable class.
        probability: Of that class.
        probabilities: Of all classes, in the order of training.

    Example:
        >>> found = Prediction("cup", 0.75, {"mug": 0.25, "cup": 0.75})
        >>> f"{found.label}: {found.probability:.0%}"
        'cup: 75%'
        >>> sorted(found.probabilities, key=found.probabilities.get, reverse=True)
        ['cup', 'mug']
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

    Example:
        >>> network = CCNN.from_preset("ccnn_4_16", dim=3, in_channels=6, out_channels=2, num_neighbors=16)
        >>> out = network(torch.randn(80, 6), torch.rand(80, 3), torch.arange(80) // 40)
        >>> classifier = ShapeClassifier(network.eval(), ("cup", "mug"), ShapePipeline(num_points=64))
        >>> prediction = classifier(torch.rand(500, 3).numpy())
        >>> prediction.label in ("cup", "mug"), list(prediction.probabilities)
        (True, ['cup', 'mug'])
    """

    network: CCNN
    classes: tuple[str, ...]
    pipeline: ShapePipeline

    @classmethod
    def load(cls, checkpoint: str | PathLike[str], device: torch.device | str = "cpu") -> ShapeClassifier:
        """Reads a checkpoint of ``ccnn-geo train``, a run or a folder; nothing in it is executed.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is none of these, not of shapes, or there is no such device.
        """
        _check_device(device)
        return cls._of(*read_network(checkpoint), checkpoint, device)

    @classmethod
    def _of(
        cls,
        settings: Mapping[str, Any],
        network: CCNN,
        source: str | PathLike[str],
        device: torch.device | str,
    ) -> ShapeClassifier:
        if network.dim != 3 or network.readout != "global":
            name = settings["data"].get("dataset")
            raise ValueError(
                f"{source}: trained on {name}, expected a data set of shapes; test takes any, and "
                "after ccnn-geo export CCNN.from_pretrained reads its network"
            )
        try:
            pipeline = ShapePipeline.from_settings(settings["data"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"{source}: {error}") from error
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
        batch = Batch.from_data_list([inputs]).to(self.network.head.linear.weight.device)
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

    The same source gives the same answer: the points are chosen with a fixed seed. A data set chooses others, by the
    name of each file, so that its accuracy may be that of a few other answers.

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


def load_classifier(
    source: str | PathLike[str], revision: str | None = None, device: torch.device | str = "cpu", **hub: Any
) -> ShapeClassifier:
    """The classifier of shapes in a folder or on the Hugging Face hub, to be handed to :func:`~ccnn_geo.predict`.

    Args:
        source: The folder, or ``user/name`` on the hub (extra ``hub``).
        revision: Branch, tag or commit on the hub.
        device: Where the network goes.
        **hub: Further arguments of :func:`huggingface_hub.snapshot_download`.

    Raises:
        FileNotFoundError: If it is neither here nor on the hub.
        ImportError: If it may be on the hub, but the extra is not installed.
        ValueError: If the folder is damaged, of a newer format, or not of a classifier of shapes.
    """
    _check_device(device)
    folder = find_folder(source, revision, **hub)
    return ShapeClassifier._of(*read_classifier(folder), folder, device)


def load(
    source: str | PathLike[str], device: torch.device | str = "cpu", revision: str | None = None, **hub: Any
) -> ShapeClassifier:
    """A trained classifier of shapes, ready to be called, from wherever it is.

    Args:
        source: A checkpoint of ``ccnn-geo train``, the folder of a run (its best checkpoint) or of ``ccnn-geo
            export``, or ``user/name`` on the Hugging Face hub (extra ``hub``), in this order.
        device: Where the network goes.
        revision: Branch, tag or commit on the hub.
        **hub: Further arguments of :func:`huggingface_hub.snapshot_download`.

    Raises:
        FileNotFoundError: If it is neither here nor on the hub.
        ImportError: If it may be on the hub, but the extra is not installed.
        ValueError: If it is something else, damaged, of another release, or not of a classifier of shapes; if there is
            no such device, or a revision is asked of what is here.

    Example:
        >>> classifier = load("runs/demo")  # doctest: +SKIP
        >>> classifier("chair.off").label  # doctest: +SKIP
        'chair'
    """
    path = Path(source).expanduser()
    elsewhere = revision is not None or (may_be_on_hub(source) and path.suffix != ".ckpt")
    if elsewhere and not path.exists():
        return load_classifier(source, revision, device, **hub)
    if revision is not None:
        raise ValueError(f"{source}: what is here has no revisions, got revision={revision!r}")
    return ShapeClassifier.load(source, device)


def _check_device(device: torch.device | str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = str(error).partition("\n")[0]
        raise ValueError(f"device {str(device)!r}: expected one that this machine has ({reason})") from error
