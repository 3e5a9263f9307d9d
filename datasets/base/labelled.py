"""The base of data sets of PyG samples in memory, each with a label and a name."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ccnn_geo._base.pyg import Dataset
from ccnn_geo.nn.targets import Targets


class LabelledDataset(Dataset):
    """Samples with labels and names, which PyG's ``index_select`` keeps.

    A subclass sets ``classes``, ``_y`` (int64, a label per sample) and ``_names``, and implements ``get``. With
    ``target_names`` and ``target_units``, ``_y [n, T]`` are float64 targets.
    """

    classes: list[str]
    _y: Tensor
    _names: list[str]
    target_names: Sequence[str] = ()
    target_units: Sequence[str] = ()

    @property
    def num_classes(self) -> int:
        """Number of classes, including those without a sample here."""
        return len(self.classes)

    @property
    def y(self) -> Tensor:
        """Labels ``[len(self)]``, int64, or targets ``[len(self), T]``, float64."""
        return self._y[torch.as_tensor(list(self.indices()), dtype=torch.long)]

    @property
    def names(self) -> list[str]:
        """Names of the files, relative to the root of the data, or of the records in a file."""
        return [self._names[i] for i in self.indices()]

    def target_scale(self) -> Targets:
        """Names, units, mean and standard deviation of the targets of these samples."""
        return Targets.measure(self.target_names, self.target_units, self.y)

    def len(self) -> int:
        return len(self._names)
