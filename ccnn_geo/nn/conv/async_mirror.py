"""Host copies of small tensors, read without waiting for their device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.tracing import is_traced, refuse_export


class AsyncMirror:
    """Values of one small tensor as numbers; a copy or a pickle of it starts empty.

    On the CPU the values are read each time. On a device :meth:`read` waits only if the tensor is another one or has
    been written since. :meth:`glance` waits only the first time and then returns the last values that have arrived.
    Neither notices a write through ``.data`` on a device.
    """

    def __init__(self) -> None:
        self.known: list[float] | None = None
        self._seen: tuple[Tensor, int] | None = None
        self._arriving: tuple[Tensor, torch.cuda.Event] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> AsyncMirror:
        return AsyncMirror()

    def __reduce__(self) -> tuple[type[AsyncMirror], tuple[()]]:
        return AsyncMirror, ()

    def forget(self) -> None:
        """Drops all values, for instance after parameters were reset."""
        self.known = self._seen = self._arriving = None

    def read(self, tensor: Tensor) -> list[float]:
        """Returns the values; compiled code gets those that were read last."""
        if self.known is not None and any(self.known) and is_traced():
            return self.known
        refuse_export("the model has seen no grid yet")
        return self._read(tensor)

    @torch.compiler.disable
    def _read(self, tensor: Tensor) -> list[float]:
        unseen = tensor.device.type == "cpu" or tensor.is_inference()  # inference tensors count no writes
        place = self._seen and (self._seen[0].data_ptr(), self._seen[1])
        if unseen or self.known is None or place != (tensor.data_ptr(), tensor._version):
            self.known = tensor.tolist()
            # while this alias lives, no other tensor gets its address
            self._seen = None if unseen else (tensor.detach(), tensor._version)
        return self.known

    def fetch(self, tensor: Tensor) -> list[float]:
        """Returns the current values; always waits for the device."""
        self.known, self._arriving = tensor.tolist(), None
        return self.known

    def glance(self, tensor: Tensor) -> list[float]:
        """Returns the values; on a device they may be slightly old."""
        if tensor.device.type != "cuda" or self.known is None:
            return self.fetch(tensor)
        if torch.cuda.is_current_stream_capturing():  # nothing arrives while a graph is recorded
            return self.known
        if self._arriving is not None and self._arriving[1].query():
            self.known, self._arriving = self._arriving[0].tolist(), None
        if self._arriving is None:
            place = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            place.copy_(tensor.detach(), non_blocking=True)
            event = torch.cuda.Event()
            # on the stream of the copy, whichever device is current
            event.record(torch.cuda.current_stream(tensor.device))
            self._arriving = (place, event)
        return self.known


def made_on(like: Tensor, numbers: Sequence[float]) -> Tensor:
    """Makes a tensor ``[n]`` of numbers, of the type and device of ``like``; written one by one, since a copy waits."""
    return torch.stack([like.new_full((), number) for number in numbers])
