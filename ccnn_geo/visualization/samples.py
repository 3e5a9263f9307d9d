"""The sample to show: a user's file, or one from the data set that a network was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch

from ccnn_geo._base.extras import needs
from ccnn_geo.export.packaged import packaged_folder
from ccnn_geo.export.predictor import Predictor
from ccnn_geo.export.trained import read_network
from ccnn_geo.io import ShapeError, read_shape
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline, network_inputs
from ccnn_geo.visualization.rendering import check_index
from ccnn_geo.visualization.sample_values import Sample


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network, the names of its classes and its data settings.

    Example:
        >>> from pathlib import Path
        >>> from ccnn_geo.visualization import by_evidence
        >>> network = CCNN.from_preset("ccnn_4_16", dim=2, in_channels=3, out_channels=2)
        >>> image = Sample("cat.png", {"x": torch.randn(1, 3, 8, 6)})
        >>> out = network(**image.inputs)
        >>> trained = Trained(network.eval(), ("cat", "dog"), Path("runs/demo"), {})
        >>> sorted(by_evidence(trained, image))
        ['cat', 'dog']
        >>> trained = Trained.load("runs/demo")  # doctest: +SKIP
    """

    network: CCNN
    classes: tuple[str, ...]
    checkpoint: Path
    data: dict

    @classmethod
    def load(cls, checkpoint: str | PathLike[str]) -> Trained:
        """Reads a checkpoint, the best one of a run, a folder of export, or a network that comes with the package.

        Raises:
            FileNotFoundError: If there is no such file or folder.
            ValueError: If it is not from ``ccnn-geo train``.
        """
        checkpoint = packaged_folder(checkpoint) or checkpoint
        settings, network = read_network(checkpoint)
        return cls(network.eval(), tuple(map(str, settings["classes"])), Path(checkpoint), settings["data"])


def sample_of_file(trained: Trained, file: str | PathLike[str]) -> Sample:
    """The points of a shape file, chosen as for prediction.

    Raises:
        ValueError: If the network is not for shapes, or the file is not a readable shape.
    """
    pipeline = Predictor.load(trained.checkpoint).pipeline
    if not isinstance(pipeline, ShapePipeline):
        raise ValueError(
            f"{trained.checkpoint}: trained on {pipeline.files.name}, but a file needs a network for shapes; use "
            "--sample NUMBER for other data"
        )
    try:
        data = pipeline(read_shape(file).to_data())
    except ShapeError:
        raise
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    return Sample(Path(file).name, network_inputs(data))


def sample_of_data(trained: Trained, index: int) -> Sample:
    """A validation sample of the data set that a network was trained on.

    Raises:
        FileNotFoundError: If the data set is not in its old place.
        ValueError: If there is no such sample.
        ImportError: If the extra ``train`` is not installed.
    """
    with needs("train", "sample_of_data"):
        from ccnn_geo.training.data.families import make_data  # its data modules need Lightning

    data = make_data(trained.data)
    data.setup("fit")
    check_index("sample", index, len(data.validation_set))
    found, name = data.validation_set[index], f"{data.dataset}, validation sample {index}"
    if isinstance(found, tuple):
        x, y = found
        return Sample(name, {"x": x.unsqueeze(0)}, trained.classes[y] if isinstance(y, int) else "")
    is_class = trained.classes and found.y is not None and found.y.numel() == 1
    truth = trained.classes[int(found.y)] if is_class else ""
    return Sample(name, {key: v.to(torch.float32) for key, v in network_inputs(found).items()}, truth)
