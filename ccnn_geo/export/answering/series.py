"""Series, optionally with predictions for each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ccnn_geo.export.answering.base import Answering
from ccnn_geo.export.answers import Answer, PointPrediction
from ccnn_geo.io.csv_answer import write_columns
from ccnn_geo.transforms.pipelines.series import SeriesPipeline


class SeriesAnswering(Answering):
    """Appends labels of times to the lines of the file."""

    pipeline: SeriesPipeline

    def answer_files(self, target: Path) -> list[Path]:
        return super().answer_files(target) if self.targets else [target]

    def write(self, file: str, answer: Answer, target: Path) -> None:
        """Writes the lines of the file with ``predicted`` and ``probability``, empty where nothing was observed."""
        if not isinstance(answer, PointPrediction):
            super().write(file, answer, target)
            return
        table = self.pipeline.read(file)
        assert table.lines is not None, "of a file"
        places = self.pipeline.points_of_lines(table).tolist()
        columns: dict[str, list[Any]] = {
            "predicted": [None if i < 0 else answer.classes[answer.labels[i]] for i in places],
            "probability": [None if i < 0 else float(answer.probability[i]) for i in places],
        }
        write_columns(Path(file), target, table.lines.separator, table.lines.decimal, columns)
