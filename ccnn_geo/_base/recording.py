"""While a CUDA graph is recorded nothing can be read from the device: the one place that asks whether one is."""

import torch
from torch import Tensor


def refuse_recording(tensor: Tensor, missing: str) -> None:
    """Says what a CUDA graph cannot be recorded without; elsewhere numbers of a tensor's device are read.

    Raises:
        RuntimeError: While a graph is recorded.
    """
    if tensor.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        raise RuntimeError(f"CUDA graph: {missing}")
