"""A file, or what is in memory, of any kind -> what a trained network says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ccnn_geo._base.pyg import Data
from ccnn_geo.export.answers import Answer, PointPrediction, class_answer, point_answer, value_answer
from ccnn_geo.export.outputs import Pixels, alike, network_outputs
from ccnn_geo.export.scenes.answer import answer_scene, scene_logits
from ccnn_geo.export.trained import read_network
from ccnn_geo.io.scans.frames import Frame
from ccnn_geo.io.shapes.shape import ShapeError
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.part_groups import category_of_classes, of_one_category
from ccnn_geo.nn.targets import Targets
from ccnn_geo.transforms.pipelines.base import Pipeline, make_pipeline
from ccnn_geo.transforms.pipelines.images import ImagePipeline
from ccnn_geo.transforms.pipelines.parts import PartPipeline
from ccnn_geo.transforms.pipelines.scans import ScanPipeline
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline, network_inputs

Sample: TypeAlias = Data | Tensor | Pixels | Path | Frame
"""What a network takes: points, a grid, an image with an answer per pixel, or a whole scan."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained network with its classes and the pipeline that prepares its input.

    Args:
        network: In evaluation mode.
        classes: Names of its outputs.
        pipeline: From a file or an object in memory to the network's input, as in training.
        targets: Of a regression, which has no classes.

    Example:
        >>> network = CCNN.from_preset("ccnn_4_16", dim=3, in_channels=6, out_channels=2, num_neighbors=16)
        >>> out = network(torch.randn(80, 6), torch.rand(80, 3), torch.arange(80) // 40)
        >>> model = Predictor(network.eval(), ("cup", "mug"), ShapePipeline(num_points=64))
        >>> prediction = model(torch.rand(500, 3).numpy())
        >>> prediction.label in ("cup", "mug"), list(prediction.probabilities)
        (True, ['cup', 'mug'])
        >>> len(model.batch([torch.rand(500, 3), torch.rand(70, 3)]))
        2
    """

    network: CCNN
    classes: tuple[str, ...]
    pipeline: Pipeline
    targets: Targets | None = None

    @classmethod
    def load(cls, checkpoint: str | PathLike[str], device: torch.device | str = "cpu") -> Predictor:
        """Reads a checkpoint of ``ccnn-geo train``, a run or a folder; nothing in it is executed.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is none of these, does not say what prepares a sample, or there is no such device.
        """
        check_device(device)
        return cls.of(*read_network(checkpoint), checkpoint, device)

    @classmethod
    def of(
        cls,
        settings: Mapping[str, Any],
        network: CCNN,
        source: str | PathLike[str],
        device: torch.device | str,
    ) -> Predictor:
        """That of a network and its stored settings, which come from ``source``.

        Raises:
            ValueError: If they do not say what prepares a sample.
        """
        try:
            pipeline = _pipeline(settings, network)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{source}: {error}") from error
        targets = Targets.from_plain(settings["targets"]) if settings.get("targets") else None
        return cls(network.to(device).eval(), tuple(settings["classes"] or ()), pipeline, targets)

    def __call__(self, source: Any) -> Answer:
        """Answers one sample, see :func:`predict`."""
        return self.batch([source])[0]

    def batch(self, sources: Iterable[Any], batch_size: int = 32) -> list[Answer]:
        """Answers many samples, some at a time.

        Args:
            sources: As :func:`predict` takes them.
            batch_size: Samples that go through the network together.

        Raises:
            ValueError, TypeError, OSError: For the first that cannot be answered, see :func:`predict`.
        """
        sources, answers = list(sources), list[Answer]()
        for start in range(0, len(sources), batch_size):
            part = sources[start : start + batch_size]
            for source, answer in zip(part, self.answer([self.prepare(s) for s in part]), strict=True):
                if isinstance(answer, ValueError):
                    raise ValueError(f"{_named(source)}{answer}") from answer
                answers.append(answer)
        return answers

    def prepare(self, source: Any) -> Sample:
        """What the network takes of a file or an object in memory.

        Raises:
            OSError: If a file cannot be opened.
            ValueError: If it is not sound, or does not fit; names the file.
            TypeError: If it is nothing that the pipeline reads.
        """
        if isinstance(source, (str, PathLike)) and Path(source).is_dir():
            raise ValueError(f"{source}: a folder, expected a file ({' '.join(self.pipeline.extensions)})")
        if isinstance(self.pipeline, ScanPipeline):  # read tile by tile, however large
            return source if isinstance(source, Frame) else _existing(source)
        try:
            content = self.pipeline.read(source)
            sample = self.pipeline(content)
        except ValueError as error:
            if isinstance(error, ShapeError) or str(error).startswith(str(source)) or not _named(source):
                raise
            raise ValueError(f"{source}: {error}") from error
        if isinstance(self.pipeline, ImagePipeline) and self.pipeline.spacing is not None:
            return Pixels(sample, tuple(content.shape[1:]), self.pipeline.spacing)
        if isinstance(sample, Tensor):
            return sample
        asked = {"at": sample.at} if "at" in sample else {}
        return Data(**network_inputs(sample), **asked)

    @torch.no_grad()
    def answer(self, samples: Sequence[Sample]) -> list[Answer | ValueError]:
        """What the network says of prepared samples; an error in the place of an answer that is not finite."""
        if isinstance(self.pipeline, ScanPipeline):
            return [self._scene(sample) for sample in samples if isinstance(sample, (Path, Frame))]
        answers: list[Answer | ValueError] = []
        for part in alike([sample for sample in samples if isinstance(sample, (Data, Tensor, Pixels))]):
            for outputs in network_outputs(self.network, part):
                try:
                    answers.append(self._said(outputs))
                except ValueError as error:
                    answers.append(error)
        return answers

    def _said(self, outputs: Tensor) -> Answer:
        if self.targets is not None:
            return value_answer(outputs, self.targets)
        if self.network.readout == "global":
            return class_answer(outputs, self.classes)
        category = category_of_classes(self.classes) if isinstance(self.pipeline, PartPipeline) else None
        return point_answer(outputs if category is None else of_one_category(outputs, category), self.classes)

    def _scene(self, scan: Path | Frame) -> PointPrediction:
        assert isinstance(self.pipeline, ScanPipeline), "of scans"
        if isinstance(scan, Frame):
            return point_answer(
                torch.from_numpy(scene_logits(self.network, self.pipeline, scan)), self.classes
            )
        found = answer_scene(self.network, self.pipeline, scan)
        return PointPrediction(found.index, found.probability, self.classes)


def _existing(source: Any) -> Path:
    if not isinstance(source, (str, PathLike)):
        raise TypeError(f"predict: expected a path or a Frame, got {type(source).__name__}")
    if not Path(source).exists():
        raise FileNotFoundError(f"{source}: no such file")
    return Path(source)


def _named(source: Any) -> str:
    """The beginning of a message about a file; nothing for an object in memory."""
    return f"{source}: " if isinstance(source, (str, PathLike)) else ""


def _pipeline(settings: Mapping[str, Any], network: CCNN) -> Pipeline:
    """What prepares a sample; checkpoints of shapes may keep it among the settings of their data.

    Raises:
        ValueError: If nothing says it.
    """
    stored, data = settings.get("pipeline"), settings["data"]
    if stored is not None:
        return make_pipeline(stored)
    if network.dim == 3 and network.readout == "global" and not settings.get("targets"):
        return ShapePipeline.from_settings(data)
    name = data.get("dataset")
    raise ValueError(
        f"trained on {name}, without what prepares a sample of a file: its samples are no files, or an earlier release "
        "trained it, which did not keep that; test takes any, and CCNN.from_pretrained reads an exported network"
    )


def check_device(device: torch.device | str) -> None:
    """Finds out that a machine has no such device.

    Raises:
        ValueError: If it has not.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = str(error).partition("\n")[0]
        raise ValueError(f"device {str(device)!r}: expected one that this machine has ({reason})") from error
