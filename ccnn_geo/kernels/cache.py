"""A cache for the values of an unchanged kernel on a lattice, kept from one inference to the next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

ENTRIES = 4
"""Number of lattices cached per kernel; the last used ones stay."""


class KernelCache:
    """Caches values that depend on a kernel's tensors, until the tensors change.

    Tensors are compared by address, type and version; on the CPU, where it costs nothing, also by value. So the cache
    notices even writes through ``.data`` there, and writes to tensors made in inference mode, which count none.
    A copy or a pickle of the cache is empty.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, Any] = OrderedDict()
        self._places: list[tuple[Any, ...]] = []
        self._aliases: list[Tensor] = []
        self._values: list[Tensor | None] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __deepcopy__(self, memo: dict[int, Any]) -> KernelCache:
        return KernelCache()

    def __reduce__(self) -> tuple[type[KernelCache], tuple[()]]:
        return KernelCache, ()

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()
        self._places, self._aliases, self._values = [], [], []

    def recall(self, tensors: Iterable[Tensor], key: Hashable, make: Callable[[], T]) -> T:
        """Returns the value cached under ``key``, or ``make()``, which may depend on ``key`` and ``tensors`` only."""
        tensors = tuple(tensors)
        places = [
            (
                *(t.data_ptr(), t.device, t.dtype, t.shape, t.stride()),
                0 if t.is_inference() else t._version,
            )
            for t in tensors
        ]
        same = places == self._places
        for value, t in zip(self._values, tensors, strict=True) if same else ():
            same = same and (value is None or torch.equal(value, t))
        if not same:
            self.clear()
            self._places = places
            # an alias has no graph, and while it lives no other tensor gets its address
            self._aliases = [t.detach() for t in tensors]
            by_value = [t.device.type == "cpu" or t.is_inference() for t in tensors]
            self._values = [
                t.detach().clone() if known else None for t, known in zip(tensors, by_value, strict=True)
            ]
        key = (key, torch.is_inference_mode_enabled())  # inference tensors must not get into a graph later
        if key not in self._entries:
            self._entries[key] = make()
            while len(self._entries) > ENTRIES:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        return self._entries[key]

    def replace(self, key: Hashable, value: Any) -> None:
        """Replaces the table cached under ``key`` by a larger one."""
        key = (key, torch.is_inference_mode_enabled())
        if key in self._entries:
            self._entries[key] = value
