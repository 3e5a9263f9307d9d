"""Chooses the parameters that decay: the matrices that mix channels, not the shapes and places of kernels."""

from __future__ import annotations

from typing import Any

from torch import nn

from ccnn_geo.kernels.base import KernelNetwork

DECAYS = ("all", "weights")


def decay_groups(network: nn.Module, weight_decay: float, decay: str = "all") -> list[dict[str, Any]]:
    r"""Parameter groups of an optimizer with decoupled weight decay.

    With ``"weights"`` only weights of linear layers decay: pointwise layers, the head, and output layers of kernels.
    Biases, norms, window widths and everything before a kernel's output layer do not decay. Pulling a frequency, a
    centre or a width to zero is no prior on the kernel's size, and a window of width zero gives a kernel without end.

    Args:
        network: The network to train.
        weight_decay: Factor :math:`\lambda` of :math:`\theta \leftarrow \theta - \eta \lambda \theta`.
        decay: ``"all"`` parameters, or the ``"weights"``.

    Raises:
        ValueError: For another ``decay``.

    Source: Loshchilov and Hutter, 2019, algorithm 2; the exceptions are common practice, not from the paper.
    """
    if decay not in DECAYS:
        raise ValueError(f"optim.decay: expected one of {', '.join(DECAYS)}, got {decay!r}")
    if decay == "all":
        return [{"params": list(network.parameters()), "weight_decay": weight_decay}]
    kernels = [m for m in network.modules() if isinstance(m, KernelNetwork)]
    bases = {id(p) for kernel in kernels for p in kernel.parameters()}
    bases -= {id(kernel.output.weight) for kernel in kernels}
    chosen = [m.weight for m in network.modules() if isinstance(m, nn.Linear) and id(m.weight) not in bases]
    ids = {id(p) for p in chosen}
    rest = [p for p in network.parameters() if id(p) not in ids]
    return [{"params": chosen, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
