"""How samples are prepared, answered and written: what all kinds have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ccnn_geo._base.pyg import Batch, Data
from ccnn_geo.export.answers import (
    Answer,
    PointPrediction,
    ValuePrediction,
    class_answer,
    point_answer,
    value_answer,
)
from ccnn_geo.export.scenes.votes import ONE_VOTE, Votes
from ccnn_geo.export.streaming import stream_answers
from ccnn_geo.io.files.storage import write_atomic
from ccnn_geo.io.shapes.shape import ShapeError
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.targets import Targets
from ccnn_geo.transforms.pipelines.base import Pipeline
from ccnn_geo.transforms.pipelines.shapes import network_inputs
from ccnn_geo.transforms.turn_up import TurnUp


class Answering:
    """From files, or objects in memory, to answers: clouds, or grids of one size, go through a network together.

    Args:
        network: In evaluation mode.
        pipeline: Of its training.
        classes: Names of its outputs.
        targets: Of a regression, which has no classes.
    """

    takes_votes: ClassVar[tuple[str, ...]] = ()
    """How a sample may be asked several times: turned, ``rotations``, or with other points, ``subsets``."""

    votes: Votes = ONE_VOTE

    turn: TurnUp | None = None
    """What a shape goes through before the pipeline."""

    def __init__(
        self, network: CCNN, pipeline: Pipeline, classes: Sequence[str], targets: Targets | None
    ) -> None:
        self.network, self.pipeline, self.classes, self.targets = network, pipeline, tuple(classes), targets

    def at_once(self, batch_size: int) -> int:
        """Samples whose answers may be in memory together, of so many that go through the network together."""
        return batch_size

    def prepare(self, source: Any) -> Any:
        """What is asked of a file or an object in memory.

        Raises:
            OSError: If a file cannot be opened.
            ValueError: If it is not sound, or does not fit; names the file.
            TypeError: If it is nothing that the pipeline reads.
        """
        if is_path(source) and Path(source).is_dir():
            raise ValueError(f"{source}: a folder, expected a file ({' '.join(self.pipeline.extensions)})")
        try:
            return self.sample(source)
        except ValueError as error:
            if isinstance(error, ShapeError) or str(error).startswith(str(source)) or not is_path(source):
                raise
            raise ValueError(f"{source}: {error}") from error

    def sample(self, source: Any) -> Any:
        """The same, with errors that need not name the file."""
        sample = self.pipeline(self.read(source))
        return Data(**network_inputs(sample)) if isinstance(sample, Data) else sample

    def read(self, source: Any) -> Any:
        """What a file or an object in memory holds, turned as the samples of the training."""
        content = self.pipeline.read(source)
        return content if self.turn is None else self.turn(content)

    @torch.no_grad()
    def answer(self, samples: Sequence[Any]) -> list[Answer | ValueError]:
        """What the network says of prepared samples; an error in the place of an answer that is not finite."""
        answers: list[Answer | ValueError] = []
        for part in self._alike(samples):
            for outputs in self.outputs(part):
                try:
                    answers.append(self.said(outputs))
                except ValueError as error:
                    answers.append(error)
        return answers

    def outputs(self, samples: Sequence[Any]) -> list[Tensor]:
        """Outputs ``[K]`` or ``[*, K]`` of each of some samples of one shape."""
        device, is_global = self.network.head.linear.weight.device, self.network.readout == "global"
        if isinstance(samples[0], Tensor):
            outputs = self.network(torch.stack(list(samples)).to(device))
            return list(outputs if is_global else outputs.movedim(1, -1))
        batch = Batch.from_data_list(list(samples)).to(device)
        outputs = self.network(batch)
        return list(outputs if is_global else outputs.split(batch.ptr.diff().tolist()))

    def said(self, outputs: Tensor) -> Answer:
        """The answer of the outputs of a sample.

        Raises:
            ValueError: If they are not finite.
        """
        if self.targets is not None:
            return value_answer(outputs, self.targets)
        make = class_answer if self.network.readout == "global" else point_answer
        return make(outputs, self.classes)

    def shape(self, sample: Any) -> tuple[int, ...]:
        """Samples that have the same go through the network together."""
        return tuple(sample.shape) if isinstance(sample, Tensor) else ()

    def _alike(self, samples: Sequence[Any]) -> Iterator[Sequence[Any]]:
        start = 0
        for end in range(1, len(samples) + 1):
            if end == len(samples) or self.shape(samples[end]) != self.shape(samples[start]):
                yield samples[start:end]
                start = end

    def written(
        self, files: Iterable[str], where: Mapping[str, Path], batch_size: int
    ) -> Iterator[tuple[str, Answer | Exception]]:
        """Answers files in their order, and writes what is said of their points.

        Args:
            files: Paths, asked for as they are needed.
            where: Where the answers to the points of a file go, by the file; the extension may become another.
            batch_size: Samples that go through the network together, at most.

        Yields:
            Each file, and its answer or what is wrong with it.
        """
        for file, found in stream_answers(self, files, batch_size):
            if not isinstance(found, Exception) and file in where:
                try:
                    self.write(file, found, where[file])
                except Exception as error:  # whatever a file does: it must not stop the others
                    yield file, error
                    continue
            yield file, found

    def answer_files(self, target: Path) -> list[Path]:
        """What :meth:`write` writes for such a target."""
        return [target.with_suffix(".npz")]

    def write(self, file: str, answer: Answer, target: Path) -> None:
        """Writes the answers to the points, cells or time steps of a file; by default as ``.npz``.

        It has ``label`` (the place of the class among ``classes``), ``probability`` and ``classes``, or a value by name
        of each target.

        Args:
            file: What was asked.
            answer: To it.
            target: Where the answer goes.

        Raises:
            OSError: If a file cannot be read or written.
        """
        write_arrays(answer, target)


def write_arrays(answer: Answer, target: Path) -> None:
    """Writes the answers to points as ``.npz``, complete or not at all."""
    arrays: dict[str, Any] = {}
    if isinstance(answer, PointPrediction):
        arrays = {
            "label": answer.labels,
            "probability": answer.probability,
            "classes": np.array(answer.classes),
        }
    elif isinstance(answer, ValuePrediction):
        arrays = {name: np.asarray(value) for name, value in answer.values.items()}
    write_atomic(target.with_suffix(".npz"), partial(np.savez, **arrays))


def is_path(source: Any) -> bool:
    """Whether this is the name of a file, and no object in memory."""
    return isinstance(source, (str, PathLike))
