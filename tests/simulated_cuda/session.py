"""Torch as it is where there is a CUDA device, for the length of a ``with``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
import torch.cuda.amp.common
import torch_geometric.typing
from torch import Tensor

from tests.simulated_cuda import capture
from tests.simulated_cuda import tensor as simulated
from tests.simulated_cuda.tensor import CUDA, CudaTensor

_empty, _tensor, _as_tensor = torch.empty, torch.tensor, torch.as_tensor


@contextlib.contextmanager
def simulated_cuda() -> Iterator[torch.device]:
    """Gives the device; inside, ``device="cuda"`` means it."""
    swaps = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)  # ``.data`` of a wrapper cannot be set
    with contextlib.ExitStack() as stack:
        for owner, name, value in (
            (torch, "empty", _plain_empty),
            (torch, "tensor", _make_tensor),
            (torch, "as_tensor", _make_as_tensor),
            (torch.cuda, "_lazy_init", lambda: None),
            (torch.cuda, "Event", Event),
            (torch.cuda, "current_stream", lambda device=None: Stream(torch.device(device or CUDA))),
            (torch.cuda, "is_current_stream_capturing", capture.is_recording),
            (torch.cuda, "CUDAGraph", capture.Graph),
            (torch.cuda, "graph", capture.recording),
            (torch.cuda.graphs, "graph_pool_handle", lambda: None),
            (torch.cuda, "get_device_name", lambda device=None: "Simulated CUDA"),
            (torch.cuda, "synchronize", lambda device=None: None),
            (torch.cuda, "Stream", lambda device=None: Stream(torch.device(device or CUDA))),
            (torch.cuda, "stream", contextlib.nullcontext),
            (torch.cuda, "is_bf16_supported", lambda *_, **__: True),
            (torch.cuda.amp.common, "amp_definitely_not_available", lambda: False),
            (torch_geometric.typing, "WITH_TORCH_SCATTER", False),  # wheels for the CPU know no other device
        ):
            stack.enter_context(mock.patch.object(owner, name, value))
        stack.enter_context(simulated.Cuda())
        stack.callback(torch.__future__.set_swap_module_params_on_conversion, swaps)
        yield CUDA


@contextlib.contextmanager
def record_waits() -> Iterator[list[tuple[str, str]]]:
    """Lists what would have waited for the device, and the line that asked for it."""
    found: list[tuple[str, str]] = []
    with mock.patch.object(simulated, "waits", found):
        yield found


class Stream:
    def __init__(self, device: torch.device) -> None:
        self.device = device


class Event:
    """Recorded on a stream of the device; done at once."""

    def __init__(self) -> None:
        self.recorded_on: Stream | None = None

    def record(self, stream: Stream | None = None) -> None:
        self.recorded_on = stream

    def query(self) -> bool:
        if capture.is_recording():
            capture.refuse("a query of an event", "")
        return True


def _plain_empty(*size: Any, pin_memory: bool = False, **options: Any) -> Tensor:
    return _empty(*size, **options)  # there is no memory to be pinned


def _on_cuda(device: Any) -> bool:
    return device is not None and torch.device(device).type == "cuda"


def _make_tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    if isinstance(data, CudaTensor):
        return data.detach().clone().to(device=device or CUDA, dtype=dtype).requires_grad_(requires_grad)
    made = _tensor(data, dtype=dtype, device=None if _on_cuda(device) else device)
    return (made.to(CUDA) if _on_cuda(device) else made).requires_grad_(requires_grad)


def _make_as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    if isinstance(data, Tensor):
        return data.to(
            device=data.device if device is None else device, dtype=data.dtype if dtype is None else dtype
        )
    made = _as_tensor(data, dtype=dtype, device=None if _on_cuda(device) else device)
    return made.to(CUDA) if _on_cuda(device) else made
