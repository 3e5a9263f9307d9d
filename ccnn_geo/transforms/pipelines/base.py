"""Pipelines prepare samples in the same way for training and prediction; their settings are stored with networks."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, TypeVar

import numpy as np
from torch import Tensor

from ccnn_geo._base.pyg import Data
from ccnn_geo.io.files.sample_files import FileKind

PLACES = {
    "scan": "scans:ScanPipeline",
    "shape": "shapes:ShapePipeline",
    "part": "parts:PartPipeline",
    "image": "images:ImagePipeline",
    "recording": "recordings:RecordingPipeline",
    "series": "series:SeriesPipeline",
    "cloud": "clouds:CloudPipeline",
}
"""Module and class of each kind, imported when needed."""

P = TypeVar("P", bound="Pipeline")


class Pipeline(ABC):
    """Prepares samples for a network, starting from files.

    A subclass is a frozen dataclass of plain values. Data sets prepare their samples with it. Checkpoints and exported
    folders store its :meth:`settings`, from which :func:`make_pipeline` builds it again.
    """

    kind: ClassVar[str]
    """Kind of data, a key of :data:`PLACES`."""

    extensions: ClassVar[tuple[str, ...]]
    """Extensions of the files that it reads, lower case, with the dot."""

    companions: ClassVar[tuple[str, ...]] = ()
    """Name endings of files beside these that are not samples."""

    @abstractmethod
    def read(self, source: Any) -> Any:
        """Reads the content of a file, or of an object in memory.

        Raises:
            OSError: If a file cannot be opened.
            ValueError: If the content is damaged; the message names the file.
            TypeError: If this pipeline cannot read this type.
        """

    @abstractmethod
    def __call__(self, content: Any) -> Data | Tensor:
        """Turns the result of :meth:`read` into a sample: ``Data(x [N, C], pos [N, D])``, or a grid ``[C, *S]``.

        Raises:
            ValueError: If it does not fit the samples used in training.
        """

    def samples_of(self, path: str) -> list[str]:
        """Paths of the samples in a file: the file itself, or one path per sample in a table of many.

        Raises:
            ImportError: If an extra that is needed to read it is missing.
            OSError, ValueError: If it cannot be read.
        """
        return [path]

    @property
    def files(self) -> FileKind:
        """The kind of files to look for in a folder and its subfolders."""
        return FileKind(f"{self.kind}s", self.extensions, self.companions, deep=True)

    def settings(self) -> dict[str, Any]:
        """All plain values that :func:`make_pipeline` needs."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {"kind": self.kind, **{name: _plain(value) for name, value in values.items()}}

    @classmethod
    def from_settings(cls: type[P], settings: Mapping[str, Any]) -> P:
        """Builds the pipeline from :meth:`settings`; ignores other keys, and null means the default."""
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        return cls(**{name: settings[name] for name in names if settings.get(name) is not None})


def make_pipeline(settings: Mapping[str, Any]) -> Pipeline:
    """Builds a pipeline from :meth:`Pipeline.settings`.

    Raises:
        ValueError: If the kind is unknown, or a value out of range.

    Example:
        >>> make_pipeline({"kind": "shape", "num_points": 64}).in_channels
        6
    """
    kind = settings.get("kind")
    if kind not in PLACES:
        raise ValueError(f"pipeline: expected kind to be one of {', '.join(PLACES)}, got {kind!r}")
    module, _, name = PLACES[kind].partition(":")
    cls: type[Pipeline] = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    try:
        return cls.from_settings(settings)
    except TypeError as error:
        raise ValueError(f"pipeline of a {kind}: {error}") from error


def _plain(value: Any) -> Any:
    """Converts containers, numbers and text to plain lists, dictionaries, numbers and strings."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic, Tensor)) else value
