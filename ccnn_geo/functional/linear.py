"""Products of many rows with a small matrix, by the faster of two libraries.

On x86 processors that are not Intel's, the library behind ``torch.mm`` leaves AVX-512 unused; oneDNN, which is
part of the same builds and runs the convolutions, does not, and takes half the time
(``python -m ccnn_geo.experiments.bench_primitives``). Both sum in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

MIN_ROWS = 256
"""Rows below which the call itself costs more than it saves."""


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    r""":math:`x W^\top + b`, in ``out`` where the library takes one; no gradients.

    Shapes:
        - **x:** :math:`(E, K)`; **weight:** :math:`(N, K)`; **bias:** :math:`(N)`; **output:** :math:`(E, N)`
    """
    if _ONEDNN is not None and _suits(x) and x.size(0) >= MIN_ROWS:
        return _ONEDNN(x, weight, bias, "none", [], "")
    if bias is None:
        return torch.mm(x, weight.mT, out=out)
    return torch.addmm(bias, x, weight.mT, out=out)


def cross(a: Tensor, b: Tensor) -> Tensor:
    r""":math:`\sum_e a_{ie} b_{ej}`, a sum over many; no gradients.

    Shapes:
        - **a:** :math:`(I, E)`; **b:** :math:`(E, J)`; **output:** :math:`(I, J)`
    """
    if _ONEDNN is not None and _suits(a) and a.size(1) >= MIN_ROWS and b.size(1) >= 64:  # pays for its copies
        return _ONEDNN(a, b.mT, None, "none", [], "")
    return a @ b


def _suits(x: Tensor) -> bool:
    return x.dtype == torch.float32 and x.device.type == "cpu"


def _find_onednn() -> Any:
    """The operator that compiled graphs call for a linear layer, if it is there and does what it should."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not torch.backends.mkldnn.is_available():
        return None
    try:
        operator = torch.ops.mkldnn._linear_pointwise.default
        x, weight, bias = (
            torch.linspace(-1, 1, n).view(s) for n, s in ((12, (4, 3)), (6, (2, 3)), (2, (2,)))
        )
        same = torch.allclose(operator(x, weight, bias, "none", [], ""), x @ weight.mT + bias, atol=1e-6)
    except (AttributeError, RuntimeError, TypeError):  # not a public operator: another version may lack it
        return None
    return operator if same else None


_ONEDNN = _find_onednn()
