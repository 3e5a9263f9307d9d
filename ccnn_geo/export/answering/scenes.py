"""Predictions for each point of scans of any size, tile by tile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch

from ccnn_geo.export.answering.base import Answering, is_path
from ccnn_geo.export.answers import Answer, PointPrediction, point_answer
from ccnn_geo.export.scenes.answer import answer_scene, label_scene, scene_logits
from ccnn_geo.io.scans.frames import Frame
from ccnn_geo.transforms.pipelines.scans import ScanPipeline


class SceneAnswering(Answering):
    """Writes scans in the format that they came in, without holding a whole scan in memory."""

    takes_votes: ClassVar[tuple[str, ...]] = ("rotations", "subsets")

    pipeline: ScanPipeline

    def at_once(self, batch_size: int) -> int:
        return 1

    def sample(self, source: Any) -> Path | Frame:
        if isinstance(source, Frame):
            return source
        if not is_path(source):
            raise TypeError(f"predict: expected a path or a Frame, got {type(source).__name__}")
        if not Path(source).exists():
            raise FileNotFoundError(f"{source}: no such file")
        return Path(source)

    def answer(self, samples: Sequence[Any]) -> list[Answer | ValueError]:
        return [
            self._in_memory(sample) if isinstance(sample, Frame) else self._of(sample) for sample in samples
        ]

    def _in_memory(self, scan: Frame) -> PointPrediction:
        logits = scene_logits(self.network, self.pipeline, scan, **self._asked)
        return point_answer(torch.from_numpy(logits), self.classes)

    def _of(self, path: Path) -> PointPrediction:
        found = answer_scene(self.network, self.pipeline, path, **self._asked)
        return PointPrediction(found.index, found.probability, self.classes)

    @property
    def _asked(self) -> dict[str, Any]:
        return {"rotations": self.votes.rotations, "subsets": self.votes.subsets}

    def answer_files(self, target: Path) -> list[Path]:
        return [target.with_suffix(".ply") if target.suffix.lower() == ".bin" else target]

    def written(
        self, files: Iterable[str], where: Mapping[str, Path], batch_size: int
    ) -> Iterator[tuple[str, Answer | Exception]]:
        """Predicts one scan at a time, see :func:`~ccnn_geo.export.label_scene`; writes ``.bin`` as PLY."""
        for file in files:
            target = self.answer_files(where[file])[0]
            try:
                found = label_scene(self.network, self.pipeline, file, target, **self._asked)
            except Exception as error:  # no file may stop the others
                yield file, error
                continue
            yield file, PointPrediction(found.index, found.probability, self.classes)
