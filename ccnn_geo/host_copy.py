"""What the host knows of small tensors, without waiting for their device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class HostCopy:
    """Values of one small tensor as numbers; a copy or a pickle of it knows nothing.

    On the CPU they are read each time. On a device :meth:`read` waits only when the tensor has been written since,
    and :meth:`glance` not even then, apart from the first time: it gives the last values that have arrived.
    """

    def __init__(self) -> None:
        self.known: list[float] | None = None
        self._seen: tuple[int, int] | None = None
        self._arriving: tuple[Tensor, torch.cuda.Event] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> HostCopy:
        return HostCopy()

    def __reduce__(self) -> tuple[type[HostCopy], tuple[()]]:
        return HostCopy, ()

    def forget(self) -> None:
        """Knows nothing any more, for instance after parameters were drawn anew."""
        self.known = self._seen = self._arriving = None

    def read(self, tensor: Tensor) -> list[float]:
        """The values; compiled code takes those that were read last."""
        if self.known is not None and torch.compiler.is_compiling():
            return self.known
        if torch.compiler.is_exporting():
            raise RuntimeError("torch.export: the model has seen no grid yet; run it once before")
        return self._read(tensor)

    @torch.compiler.disable
    def _read(self, tensor: Tensor) -> list[float]:
        stamp = None if tensor.is_inference() else (tensor.data_ptr(), tensor._version)
        if self.known is None or stamp is None or stamp != self._seen:
            self.known, self._seen = tensor.tolist(), stamp
        return self.known

    def glance(self, tensor: Tensor) -> list[float]:
        """The values, or on a device those of a moment ago."""
        if tensor.device.type != "cuda" or self.known is None:
            self.known = tensor.tolist()
            return self.known
        if self._arriving is not None and self._arriving[1].query():
            self.known, self._arriving = self._arriving[0].tolist(), None
        if self._arriving is None:
            place = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            place.copy_(tensor.detach(), non_blocking=True)
            event = torch.cuda.Event()
            event.record()
            self._arriving = (place, event)
        return self.known
