"""Host copies of small tensors, read without waiting for their device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.recording import refuse_recording
from ccnn_geo._base.tracing import is_traced, refuse_export


class AsyncMirror:
    """Values of one small tensor as numbers; a copy or a pickle of it starts empty.

    On the CPU they are read each time. On a device :meth:`read` waits only for another tensor, or when it has been
    written since, and :meth:`glance` not even then, apart from the first time: it gives the last values that have
    arrived. Nothing is read while a CUDA graph is recorded. A write through ``.data`` on a device is not seen.
    """

    def __init__(self) -> None:
        self.known: list[float] | None = None
        self._seen: tuple[Tensor, int] | None = None
        self._arriving: tuple[Tensor, torch.cuda.Event] | None = None
        self._sees_writes = True

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
            self.known = _numbers(tensor)
            # while the alias lives, no other tensor gets its place
            self._seen = None if unseen else (tensor.detach(), tensor._version)
        return self.known

    def fetch(self, tensor: Tensor) -> list[float]:
        """The values as they are now, whatever was seen of the tensor before; waits for the device."""
        self.known, self._arriving = _numbers(tensor), None
        return self.known

    def lose_sight(self) -> None:
        """Lets every glance wait from now on: replays of a CUDA graph may have written any number of times."""
        self._sees_writes = False

    def glance(self, tensor: Tensor) -> list[float]:
        """The values, or on a device those of a moment ago."""
        if tensor.device.type != "cuda" or self.known is None or not self._sees_writes:
            return self.fetch(tensor)
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


def _numbers(tensor: Tensor) -> list[float]:
    refuse_recording(tensor, "the model has not seen all that it must know; run it once before")
    return tensor.tolist()
