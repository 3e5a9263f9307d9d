"""The base for all kinds of samples: preparation, prediction and output."""

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
    """Predicts for files or objects in memory; clouds, or grids of one size, go through a network together.

    Args:
        network: The network, in evaluation mode.
        pipeline: The pipeline of its training.
        classes: Names of its outputs.
        targets: Targets of a regression, which has no classes.
    """

    takes_votes: ClassVar[tuple[str, ...]] = ()
    """Ways to repeat a sample for votes: rotated, ``rotations``, or with other points, ``subsets``."""

    votes: Votes = ONE_VOTE

    turn: TurnUp | None = None
    """A rotation of shapes before the pipeline."""

    def __init__(
        self, network: CCNN, pipeline: Pipeline, classes: Sequence[str], targets: Targets | None
    ) -> None:
        self.network, self.pipeline, self.classes, self.targets = network, pipeline, tuple(classes), targets

    def at_once(self, batch_size: int) -> int:
        """Number of samples with predictions in memory together, given the batch size."""
        return batch_size

    def prepare(self, source: Any) -> Any:
        """Prepares a file or an object in memory.

        Raises:
            OSError: If a file cannot be opened.
            ValueError: If it is not valid, or does not fit; names the file.
            TypeError: If the pipeline cannot read it.

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
        """Prepares a sample like :meth:`prepare`, with errors that need not name the file."""
        sample = self.pipeline(self.read(source))
        return Data(**network_inputs(sample)) if isinstance(sample, Data) else sample

    def read(self, source: Any) -> Any:
        """The content of a file or an object in memory, rotated to fit the samples of the training."""
        content = self.pipeline.read(source)
        return content if self.turn is None else self.turn(content)

    @torch.no_grad()
    def answer(self, samples: Sequence[Any]) -> list[Answer | ValueError]:
        """Predictions for prepared samples; an error in place of one that is not finite."""
        answers: list[Answer | ValueError] = []
        for part in self._alike(samples):
            for outputs in self.outputs(part):
                try:
                    answers.append(self.said(outputs))
                except ValueError as error:
                    answers.append(error)
        return answers

    def outputs(self, samples: Sequence[Any]) -> list[Tensor]:
        """Outputs ``[K]`` or ``[*, K]`` for each of several samples of one shape."""
        device, is_global = self.network.head.linear.weight.device, self.network.readout == "global"
        if isinstance(samples[0], Tensor):
            outputs = self.network(torch.stack(list(samples)).to(device))
            return list(outputs if is_global else outputs.movedim(1, -1))
        batch = Batch.from_data_list(list(samples)).to(device)
        outputs = self.network(batch)
        return list(outputs if is_global else outputs.split(batch.ptr.diff().tolist()))

    def said(self, outputs: Tensor) -> Answer:
        """The prediction from the outputs for a sample.

        Raises:
            ValueError: If they are not finite.
        """
        if self.targets is not None:
            return value_answer(outputs, self.targets)
        make = class_answer if self.network.readout == "global" else point_answer
        return make(outputs, self.classes)

    def shape(self, sample: Any) -> tuple[int, ...]:
        """Samples with the same value go through the network together."""
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
        """Predicts for files in order, and writes the predictions per point.

        Args:
            files: Paths, consumed as needed.
            where: Targets of predictions per point, by file; the extension may change.
            batch_size: Most samples that go through the network together.

        Yields:
            Each file with its prediction or error.
        """
        for file, found in stream_answers(self, files, batch_size):
            if not isinstance(found, Exception) and file in where:
                try:
                    self.write(file, found, where[file])
                except Exception as error:  # no file may stop the others
                    yield file, error
                    continue
            yield file, found

    def answer_files(self, target: Path) -> list[Path]:
        """The files that :meth:`write` writes for such a target."""
        return [target.with_suffix(".npz")]

    def write(self, file: str, answer: Answer, target: Path) -> None:
        """Writes predictions for the points, cells or time steps of a file; by default as ``.npz``.

        It has ``label`` (the index of the class in ``classes``), ``probability`` and ``classes``, or a value by name
        for each target.

        Args:
            file: The input file.
            answer: The prediction for it.
            target: The file to write.

        Raises:
            OSError: If a file cannot be read or written.
        """
        write_arrays(answer, target)


def write_arrays(answer: Answer, target: Path) -> None:
    """Writes predictions for points as ``.npz``, all or nothing."""
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
    """Whether a source is the name of a file, not an object in memory."""
    return isinstance(source, (str, PathLike))
