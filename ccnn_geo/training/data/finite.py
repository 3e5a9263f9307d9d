"""Checks samples when they are loaded: names one that is not finite, before it spoils all weights."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from ccnn_geo._base.pyg import Data


class FiniteSamples(Dataset):
    """Passes on samples, ``(grid, label)`` or ``Data``, and refuses those that are not finite.

    A network cannot check this: on a GPU it does not look at its input, and a batch has no names.

    Args:
        samples: Samples by key, an index or ``(epoch, index)``.
        label: A name for them, such as "mnist, training set".
    """

    def __init__(self, samples: Any, label: str) -> None:
        self.samples, self.label = samples, label

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: int | tuple[int, int]) -> Any:
        """A sample.

        Raises:
            ValueError: If its features or positions are NaN or infinite.
        """
        sample = self.samples[key]
        is_cloud = isinstance(sample, Data)
        parts = [("x", sample.x), ("pos", sample.pos)] if is_cloud else [("the grid", sample[0])]
        for what, values in parts:
            if isinstance(values, Tensor) and not bool(values.isfinite().all()):
                bad = ~values.isfinite()
                raise ValueError(
                    f"{self.label}: {self._name(sample, key)} has NaN or Inf in {int(bad.sum())} of {bad.numel()} "
                    f"values of {what} {list(bad.shape)} (first: {bad.nonzero()[0].tolist()}), expected numbers"
                )
        return sample

    @staticmethod
    def _name(sample: Any, key: int | tuple[int, int]) -> str:
        number = key[1] if isinstance(key, tuple) else key
        name = sample.get("name") if isinstance(sample, Data) else None
        return f"sample {number}" + (f" ({name})" if isinstance(name, str) else "")
