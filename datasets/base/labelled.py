"""What data sets of PyG samples in memory with a label and a name each have in common."""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo._base.pyg import Dataset


class LabelledDataset(Dataset):
    """Labels and names of samples, also of a part that PyG's ``index_select`` chose.

    A subclass sets ``classes``, ``_y`` (int64, a label per sample) and ``_names``, and has ``get``.
    """

    classes: list[str]
    _y: Tensor
    _names: list[str]

    @property
    def num_classes(self) -> int:
        """Number of classes, also of those without a sample here."""
        return len(self.classes)

    @property
    def y(self) -> Tensor:
        """Labels ``[len(self)]``, int64."""
        return self._y[torch.as_tensor(list(self.indices()), dtype=torch.long)]

    @property
    def names(self) -> list[str]:
        """Names of the files, relative to the root of the data, or of the records in one."""
        return [self._names[i] for i in self.indices()]

    def len(self) -> int:
        return len(self._y)
