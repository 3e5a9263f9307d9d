"""What an unchanged kernel gives on a lattice, remembered from one inference to the next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

ENTRIES = 4
"""Lattices that are remembered per kernel, the last used ones."""


class KernelCache:
    """Values that depend on a kernel's tensors, as long as those stay what they are.

    Tensors are compared by place, type and version; on the CPU, where it costs nothing, also by value,
    so that even a write through ``.data`` is seen, and so are those made in inference mode, which count no writes.
    A copy or a pickle of the cache is empty.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, Any] = OrderedDict()
        self._seen: list[_Snapshot] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __deepcopy__(self, memo: dict[int, Any]) -> KernelCache:
        return KernelCache()

    def __reduce__(self) -> tuple[type[KernelCache], tuple[()]]:
        return KernelCache, ()

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()
        self._seen = []

    def recall(self, tensors: Iterable[Tensor], key: Hashable, make: Callable[[], T]) -> T:
        """The value remembered under ``key``, or that of ``make``, which depends on ``key`` and ``tensors`` alone."""
        self._follow(list(tensors))
        key = (key, torch.is_inference_mode_enabled())  # inference tensors must not get into a graph later
        if key not in self._entries:
            self._entries[key] = make()
            while len(self._entries) > ENTRIES:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        return self._entries[key]

    def replace(self, key: Hashable, value: Any) -> None:
        """Puts a larger table in the place of the one remembered under ``key``."""
        key = (key, torch.is_inference_mode_enabled())
        if key in self._entries:
            self._entries[key] = value

    def _follow(self, tensors: list[Tensor]) -> None:
        same = len(tensors) == len(self._seen) and all(
            seen.is_still(t) for seen, t in zip(self._seen, tensors, strict=True)
        )
        if not same:
            self.clear()
            self._seen = [_Snapshot(t) for t in tensors]


class _Snapshot:
    def __init__(self, tensor: Tensor) -> None:
        # an alias has no graph, and while it lives no other tensor gets its place
        self.alias, self.place = tensor.detach(), _place(tensor)
        by_value = tensor.device.type == "cpu" or tensor.is_inference()
        self.value = tensor.detach().clone() if by_value else None

    def is_still(self, tensor: Tensor) -> bool:
        if self.place != _place(tensor):
            return False
        return self.value is None or torch.equal(self.value, tensor)


def _place(tensor: Tensor) -> tuple[Any, ...]:
    version = 0 if tensor.is_inference() else tensor._version
    return tensor.data_ptr(), tensor.device, tensor.dtype, tensor.shape, tensor.stride(), version
