"""The base of all data sets of signals on grids."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.io.files.left_out import told_number
from ccnn_geo.nn.targets import Targets
from ccnn_geo.transforms.pipelines.base import Pipeline


class Rows(Protocol):
    """Stored samples: an array or tensor ``[N, ...]``, in memory or in a file, or rows of different lengths."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


class SignalDataset(Dataset):
    """Signals on grids with a label, with targets, or with a label for each cell: ``dataset[i]`` is ``(grid, truth)``.

    Samples are stored compactly (bytes, tokens, 16-bit sound), in memory or mapped from a file, and become float32
    when they are read. A slice, list or mask selects a smaller data set, as in ``train[keep]``.

    Args:
        values: Stored samples, an array ``[N, ...]``.
        y: Labels ``[N]``, integers; with ``targets`` their values ``[N, T]``, NaN for unknown ones.
        classes: Names of the classes, in the order of the labels.
        encode: Turns one stored sample into a float32 grid ``[C, *S]``.
        transform: Augmentation, applied to each grid ``[C, *S]`` at every access; only for training. Labels of cells
            become one more channel of the grid for it, so that they move with their cells.
        targets: Names and units of targets.
        cells: Labels of the cells of each sample, ``[*S]`` int64, -1 for none; ``y`` is ignored then.

    Shapes:
        ``dataset[i]`` is ``(grid [C, *S], label)``; float32 and a python integer, as torch's loader collates them. The
        truth is ``[T]`` float32 with ``targets``, ``[*S]`` int64 with ``cells``.

    Raises:
        ValueError: If the number of labels or targets differs from the number of samples.
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
        *,
        targets: tuple[Sequence[str], Sequence[str]] | None = None,
        cells: Rows | None = None,
    ) -> None:
        self.values, self.encode, self.transform, self.cells = values, encode, transform, cells
        self.target_names, self.target_units = map(list, targets or ((), ()))
        self.y = torch.as_tensor(np.asarray(y))
        self.y = self.y.double() if self.target_names else self.y.long()
        self.classes = list(classes)
        expected = (len(values), len(self.target_names)) if self.target_names else (len(values),)
        if self.y.shape != expected:
            what = "targets" if self.target_names else "labels"
            raise ValueError(
                f"{type(self).__name__}: {len(values)} samples, but {what} of shape {list(self.y.shape)}"
            )
        self._index = torch.arange(len(values))

    @property
    def pipeline(self) -> Pipeline | None:
        """Turns a file into a sample, for prediction; None if files are not samples."""
        return None

    @property
    def num_classes(self) -> int:
        """Number of classes, including those without a sample here."""
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
        if self.cells is not None:
            return self._with_cells(grid, torch.as_tensor(self.cells[place]))
        truth = self.y[index].float() if self.target_names else int(self.y[index])
        return (grid if self.transform is None else self.transform(grid)), truth

    def _with_cells(self, grid: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if self.transform is None:
            return grid, labels
        moved = self.transform(torch.cat([grid, labels[None].to(grid)]))
        return moved[:-1], moved[-1].long()

    def cell_labels(self) -> Iterator[Tensor]:
        """Yields the labels of the cells of each sample in a row, -1 for none; nothing without ``cells``."""
        rows = () if self.cells is None else (self.cells[place] for place in self._index.tolist())
        return (torch.as_tensor(row).reshape(-1) for row in rows)

    def target_scale(self) -> Targets:
        """Names, units, mean and standard deviation of the targets of these samples."""
        return Targets.measure(self.target_names, self.target_units, self.y)

    def _part(self, index: slice | Sequence[int] | Tensor) -> SignalDataset:
        part = copy.copy(self)
        index = index if isinstance(index, slice) else torch.as_tensor(index)
        part._index, part.y = self._index[index], self.y[index]
        return part

    def __repr__(self) -> str:
        truths = (
            f"targets {', '.join(self.target_names)}"
            if self.target_names
            else told_number(self.num_classes, "class", "classes")
        )
        return f"{type(self).__name__}({len(self)} samples {list(self.grid_shape)}, {truths})"
