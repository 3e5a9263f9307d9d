"""Products of many rows with a small matrix, by torch or our own compiled loop, whichever is faster.

On AMD processors the library behind ``torch.mm`` leaves AVX-512 unused, and the loop takes half the time; on others
torch is faster (``python -m ccnn_geo.experiments.benchmarks.bench_primitives``). Both sum in float32. Neither
caches sizes; oneDNN, as fast as the loop, keeps half a megabyte for each number of rows that it has seen.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo._base.native.build import native_function, processor
from ccnn_geo.kernels.math.linear_compiled import native_cross, native_rows

MIN_WORK = 1 << 22
"""Number of multiplications below which the call itself costs more than it saves."""


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    r""":math:`x W^\top + b`, in ``out`` if given; no gradients.

    Shapes:
        - **x:** :math:`(E, K)`; **weight:** :math:`(N, K)`; **bias:** :math:`(N)`; **output:** :math:`(E, N)`
    """
    if _LOOP and x.size(0) * weight.numel() >= MIN_WORK and _suits(x, weight):
        return native_rows(x, weight, bias, out)
    if bias is None:
        return torch.mm(x, weight.mT, out=out)
    return torch.addmm(bias, x, weight.mT, out=out)


def cross(a: Tensor, b: Tensor) -> Tensor:
    r""":math:`\sum_e a_{ie} b_{ej}`, a sum over many rows; no gradients.

    Shapes:
        - **a:** :math:`(I, E)`; **b:** :math:`(E, J)`; **output:** :math:`(I, J)`
    """
    if _LOOP and a.numel() * b.size(1) >= MIN_WORK and _suits(a, b):
        return native_cross(a, b)
    return a @ b


def _suits(*tensors: Tensor) -> bool:
    own = all(t.dtype == torch.float32 and t.device.type == "cpu" for t in tensors)
    return own and not torch.is_autocast_enabled("cpu") and native_function("row_products") is not None


_LOOP = torch.backends.cpu.get_cpu_capability() == "AVX512" and "AuthenticAMD" in processor()
