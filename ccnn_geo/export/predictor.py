"""A file, or what is in memory, of any kind -> what a trained network says of it."""

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
        network: In evaluation mode.
        classes: Names of its outputs.
        pipeline: From a file or an object in memory to the network's input, as in training.
        targets: Of a regression, which has no classes.
        votes: How often a scan or a shape is asked.
        turn: What shapes go through before the pipeline.

    Raises:
        ValueError: When it is asked, if samples of this kind have no such votes, or a turn for another than shapes.

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
                    named = f"{source}: " if is_path(source) else ""
                    raise ValueError(f"{named}{answer}") from answer
                answers.append(answer)
        return answers

    @cached_property
    def answering(self) -> Answering:
        """How files of this kind are prepared, answered and written."""
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
        """The same network, asked several times for each answer, which is the mean of what it says.

        Args:
            rotations: Turns about the vertical axis that vote, of scans.
            subsets: Choices of points that vote, of scans and shapes.

        Raises:
            ValueError: If one is below 1, or samples of this kind have no such votes.
        """
        found = replace(self, votes=Votes(rotations, subsets))
        assert found.answering.votes == found.votes, "or it has raised"
        return found

    def upright(self, up: str, trained: str | None = None) -> Predictor:
        """The same network, for shapes in which another axis points up than in its training.

        Positions and normals are turned before anything else; answers are of the shape as it came.

        Args:
            up: The axis that points up in the shapes, ``x``, ``y`` or ``z``.
            trained: The one of the training; None for what is stored with the network.

        Raises:
            ValueError: If an axis is another, the one of the training is not known or is stored as another one, or this
                is no network of shapes.
        """
        found = replace(self, turn=turn_of(self.pipeline, up, trained))
        assert found.answering.turn is found.turn, "or it has raised"
        return found

    def prepare(self, source: Any) -> Any:
        """What is asked of a file or an object in memory, see :meth:`Answering.prepare`."""
        return self.answering.prepare(source)

    def answer(self, samples: Sequence[Any]) -> list[Answer | ValueError]:
        """What the network says of prepared samples, see :meth:`Answering.answer`."""
        return self.answering.answer(samples)


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
