"""What prepares a sample: the same in training and in prediction, stored with the network."""

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
"""Module and class of each kind, imported when it is asked for."""

P = TypeVar("P", bound="Pipeline")


class Pipeline(ABC):
    """From a file to what a network takes of it.

    A subclass is a frozen dataclass of plain values. Data sets prepare their samples with it; checkpoints and exported
    folders keep :meth:`settings`, from which :func:`make_pipeline` makes it again.
    """

    kind: ClassVar[str]
    """What it prepares, a key of :data:`PLACES`."""

    extensions: ClassVar[tuple[str, ...]]
    """Of the files that it reads, lower case, with the dot."""

    companions: ClassVar[tuple[str, ...]] = ()
    """Ends of the names of files that lie beside these, and are none."""

    @abstractmethod
    def read(self, source: Any) -> Any:
        """What a file, or an object in memory, holds.

        Raises:
            OSError: If a file cannot be opened.
            ValueError: If it is not sound; the message names it.
            TypeError: If it is nothing that this pipeline reads.
        """

    @abstractmethod
    def __call__(self, content: Any) -> Data | Tensor:
        """A sample of what :meth:`read` gave: ``Data(x [N, C], pos [N, D])``, or a grid ``[C, *S]``.

        Raises:
            ValueError: If it does not fit the samples of the training.
        """

    def samples_of(self, path: str) -> list[str]:
        """Paths of the samples in a file: its own, but for tables of many.

        Raises:
            ImportError: If an extra is missing that reads it.
            OSError, ValueError: If it cannot be read.
        """
        return [path]

    @property
    def files(self) -> FileKind:
        """Those of a folder, and of the folders in it."""
        return FileKind(f"{self.kind}s", self.extensions, self.companions, deep=True)

    def settings(self) -> dict[str, Any]:
        """All that :func:`make_pipeline` needs, plain values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {"kind": self.kind, **{name: _plain(value) for name, value in values.items()}}

    @classmethod
    def from_settings(cls: type[P], settings: Mapping[str, Any]) -> P:
        """The pipeline of :meth:`settings`; other keys are ignored, null is the default."""
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        return cls(**{name: settings[name] for name in names if settings.get(name) is not None})


def make_pipeline(settings: Mapping[str, Any]) -> Pipeline:
    """The pipeline of :meth:`Pipeline.settings`.

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
    """Lists, dictionaries, numbers and text in the place of what holds the same."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic, Tensor)) else value
