"""What all data sets of signals on grids have in common."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.transforms.pipelines.base import Pipeline


class Rows(Protocol):
    """Stored samples: an array or tensor ``[N, ...]``, in memory or in a file, or rows of their own lengths."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


class SignalDataset(Dataset):
    """Labelled signals on grids: ``dataset[i]`` is ``(grid [C, *S], label)``.

    Samples are stored compactly (bytes, tokens, 16-bit sound), in memory or mapped from a file, and turned into
    float32 when they are read. An index, slice, list or mask of several gives a data set of these; ``train[keep]``.

    Args:
        values: Stored samples, an array ``[N, ...]``.
        y: Labels ``[N]``, integers.
        classes: Names of the classes, in the order of the labels.
        encode: Turns one stored sample into a float32 grid ``[C, *S]``.
        transform: Applied to each grid ``[C, *S]`` at every access: augmentation. Only for training.

    Shapes:
        ``dataset[i]`` is ``(grid [C, *S], label)``; float32 and a python integer, as torch's loader collates them.

    Raises:
        ValueError: If there are not as many labels as samples.
        IndexError: For an index out of range.

    Example:
        >>> import numpy as np
        >>> stored = np.arange(12, dtype=np.int16).reshape(3, 4)
        >>> data = SignalDataset(stored, [0, 1, 0], ["low", "high"], lambda row: torch.from_numpy(row)[None] / 10)
        >>> data
        SignalDataset(3 samples [1, 4], 2 classes)
        >>> data[1]
        (tensor([[0.4000, 0.5000, 0.6000, 0.7000]]), 1)
        >>> len(data[data.y == 0])
        2
    """

    info: ClassVar[DatasetInfo]

    def __init__(
        self,
        values: Rows,
        y: np.ndarray | Tensor | Sequence[int],
        classes: Sequence[str],
        encode: Callable[[Any], Tensor],
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.values, self.encode, self.transform = values, encode, transform
        self.y = torch.as_tensor(np.asarray(y)).long()
        self.classes = list(classes)
        if self.y.shape != (len(values),):
            raise ValueError(
                f"{type(self).__name__}: {len(values)} samples, but labels of shape {list(self.y.shape)}"
            )
        self._index = torch.arange(len(values))

    @property
    def pipeline(self) -> Pipeline | None:
        """What makes a sample of a file, for prediction; None where no file is a sample."""
        return None

    @property
    def num_classes(self) -> int:
        """Number of classes, also of those without a sample here."""
        return len(self.classes)

    @property
    def in_channels(self) -> int:
        """Channels of a sample."""
        return self.grid_shape[0]

    @property
    def size(self) -> tuple[int, ...]:
        """Samples along each axis."""
        return self.grid_shape[1:]

    @property
    def grid_shape(self) -> tuple[int, ...]:
        """Shape ``(C, *S)`` of a sample before any transform."""
        return tuple(self.encode(self.values[int(self._index[0])]).shape)

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Any:
        if not isinstance(index, int | np.integer):
            return self._part(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"{type(self).__name__}: index {index} of {len(self)} samples")
        place = int(self._index[index])
        grid = self.encode(self.values[place])
        return (grid if self.transform is None else self.transform(grid)), int(self.y[index])

    def _part(self, index: slice | Sequence[int] | Tensor) -> SignalDataset:
        part = copy.copy(self)
        index = index if isinstance(index, slice) else torch.as_tensor(index)
        part._index, part.y = self._index[index], self.y[index]
        return part

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self)} samples {list(self.grid_shape)}, {self.num_classes} classes)"
        )
