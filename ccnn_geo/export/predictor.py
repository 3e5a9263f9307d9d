"""Predictions of a trained network for files or objects in memory of any kind."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from typing import Any

import torch

from ccnn_geo.export.answering.base import Answering, is_path
from ccnn_geo.export.answers import Answer
from ccnn_geo.export.scenes.votes import ONE_VOTE, Votes
from ccnn_geo.export.short import Told, short_repr, told_network
from ccnn_geo.export.trained import read_network
from ccnn_geo.export.turning import turn_of
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.targets import Targets
from ccnn_geo.transforms.pipelines.base import Pipeline, make_pipeline
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline
from ccnn_geo.transforms.turn_up import TurnUp

ANSWERING = {
    "shape": "shapes:ShapeAnswering",
    "image": "pixels:PixelAnswering",
    "series": "series:SeriesAnswering",
    "part": "parts:PartAnswering",
    "scan": "scenes:SceneAnswering",
}
"""Module and class by the kind of the pipeline; others have :class:`Answering`."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """A trained network with its classes and the pipeline that prepares its input.

    Args:
        network: The network, in evaluation mode.
        classes: Names of its outputs.
        pipeline: Prepares the network's input from a file or an object in memory, as in training.
        targets: Targets of a regression, which has no classes.
        votes: Number of votes for a scan or a shape.
        turn: Rotation of shapes before the pipeline.

    Raises:
        ValueError: On first use, if this kind of sample has no such votes, or if other samples than shapes have a turn.

    Example:
        >>> network = CCNN.from_preset("ccnn_4_16", dim=3, in_channels=6, out_channels=2, num_neighbors=16)
        >>> out = network(torch.randn(80, 6), torch.rand(80, 3), torch.arange(80) // 40)
        >>> model = Predictor(network.eval(), ("cup", "mug"), ShapePipeline(num_points=64))
        >>> prediction = model(torch.rand(500, 3).numpy())
        >>> prediction.label in ("cup", "mug"), list(prediction.probabilities)
        (True, ['cup', 'mug'])
        >>> model
        Predictor(network=CCNN(6 -> 2, 5,899 parameters), classes=('cup', 'mug'), pipeline=ShapePipeline)
        >>> len(model.batch([torch.rand(500, 3), torch.rand(70, 3)]))
        2
    """

    network: CCNN
    classes: tuple[str, ...]
    pipeline: Pipeline
    targets: Targets | None = None
    votes: Votes = ONE_VOTE
    turn: TurnUp | None = None

    def __repr__(self) -> str:
        network, prepares = told_network(self.network), Told(type(self.pipeline).__name__)
        votes = None if self.votes == ONE_VOTE else self.votes
        more = {"targets": self.targets and self.targets.names, "votes": votes, "turn": self.turn}
        return short_repr(self, network=network, classes=self.classes or None, pipeline=prepares, **more)

    @classmethod
    def load(cls, checkpoint: str | PathLike[str], device: torch.device | str = "cpu") -> Predictor:
        """Reads a checkpoint of ``ccnn-geo train``, a run or a folder; executes nothing in it.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is none of these, lacks the preparation of samples, or there is no such device.
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
        """Makes a predictor from a network and its stored settings, which come from ``source``.

        Raises:
            ValueError: If the settings lack the preparation of samples.
        """
        try:
            pipeline = _pipeline(settings, network)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{source}: {error}") from error
        targets = Targets.from_plain(settings["targets"]) if settings.get("targets") else None
        return cls(network.to(device).eval(), tuple(settings["classes"] or ()), pipeline, targets)

    def __call__(self, source: Any) -> Answer:
        """Predicts for one sample, see :func:`predict`."""
        return self.batch([source])[0]

    def batch(self, sources: Iterable[Any], batch_size: int = 32) -> list[Answer]:
        """Predicts for many samples, in batches.

        Args:
            sources: Sources for :func:`predict`.
            batch_size: Samples that go through the network together.

        Raises:
            ValueError, TypeError, OSError: For the first that fails, see :func:`predict`.
        """
        sources, answers = list(sources), list[Answer]()
        for start in range(0, len(sources), batch_size):
            part = sources[start : start + batch_size]
            for source, answer in zip(part, self.answer([self.prepare(s) for s in part]), strict=True):
                if isinstance(answer, ValueError):
                    named = f"{source}: " if is_path(source) else ""
                    raise ValueError(f"{named}{answer}") from answer
                answers.append(answer)
        return answers

    @cached_property
    def answering(self) -> Answering:
        """The preparation, prediction and output for this kind of file."""
        module, _, name = ANSWERING.get(self.pipeline.kind, "base:Answering").partition(":")
        cls = getattr(importlib.import_module(f"ccnn_geo.export.answering.{module}"), name)
        made: Answering = cls(self.network, self.pipeline, self.classes, self.targets)
        wrong = [name for name in self.votes.asked if name not in made.takes_votes]
        if wrong:
            of = {"rotations": "scans", "subsets": "scans and shapes"}[wrong[0]]
            raise ValueError(f"{wrong[0]} are for {of}, this network takes {self.pipeline.kind}s")
        if self.turn is not None and not isinstance(self.pipeline, ShapePipeline):
            raise ValueError(f"up is for shapes, this network takes {self.pipeline.kind}s")
        made.votes, made.turn = self.votes, self.turn
        return made

    def voting(self, rotations: int = 1, subsets: int = 1) -> Predictor:
        """The same network with votes: each prediction is the mean of several.

        Args:
            rotations: Number of rotations about the vertical axis that vote, for scans.
            subsets: Number of choices of points that vote, for scans and shapes.

        Raises:
            ValueError: If one is below 1, or this kind of sample has no such votes.
        """
        found = replace(self, votes=Votes(rotations, subsets))
        assert found.answering.votes == found.votes, "or it has raised"
        return found

    def upright(self, up: str, trained: str | None = None) -> Predictor:
        """The same network, for shapes with a different axis up than in its training.

        Positions and normals are rotated before anything else; predictions refer to the original shape.

        Args:
            up: The axis that points up in the shapes, ``x``, ``y`` or ``z``.
            trained: The axis of the training; None for the one stored with the network.

        Raises:
            ValueError: If an axis is not one of these, if that of the training is unknown or differs from the stored
                one, or if this is not a network for shapes.
        """
        found = replace(self, turn=turn_of(self.pipeline, up, trained))
        assert found.answering.turn is found.turn, "or it has raised"
        return found

    def prepare(self, source: Any) -> Any:
        """Prepares a file or an object in memory, see :meth:`Answering.prepare`."""
        return self.answering.prepare(source)

    def answer(self, samples: Sequence[Any]) -> list[Answer | ValueError]:
        """Predictions for prepared samples, see :meth:`Answering.answer`."""
        return self.answering.answer(samples)


def _pipeline(settings: Mapping[str, Any], network: CCNN) -> Pipeline:
    """The preparation of samples; checkpoints of shapes may keep it among the settings of their data.

    Raises:
        ValueError: If it is missing.
    """
    stored, data = settings.get("pipeline"), settings["data"]
    if stored is not None:
        return make_pipeline(stored)
    if network.dim == 3 and network.readout == "global" and not settings.get("targets"):
        return ShapePipeline.from_settings(data)
    name = data.get("dataset")
    raise ValueError(
        f"trained on {name}, without the preparation of a sample from a file: its samples are not files, or an earlier "
        "release did not store it; test accepts any checkpoint, and CCNN.from_pretrained reads an exported network"
    )


def check_device(device: torch.device | str) -> None:
    """Refuses a device that the machine does not have.

    Raises:
        ValueError: If so.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = str(error).partition("\n")[0]
        raise ValueError(f"device {str(device)!r}: expected one that this machine has ({reason})") from error
