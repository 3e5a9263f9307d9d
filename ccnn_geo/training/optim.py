"""Which parameters decay: the matrices that mix channels, not the shapes and places of kernels."""

from __future__ import annotations

from typing import Any

from torch import nn

from ccnn_geo.kernels.base import KernelNetwork

DECAYS = ("all", "weights")


def decay_groups(network: nn.Module, weight_decay: float, decay: str = "all") -> list[dict[str, Any]]:
    r"""Parameter groups of an optimizer with decoupled weight decay.

    With ``"weights"`` decay the weights of linear layers: pointwise layers, head, and output layers of kernels. Left
    out are biases, norms, window widths, and all that lies before a kernel's output layer: to pull a frequency, a
    centre or a width to zero is no prior on the kernel's size, and the zero of a width is a kernel without end.

    Args:
        network: Whose parameters are trained.
        weight_decay: Factor :math:`\lambda` of :math:`\theta \leftarrow \theta - \eta \lambda \theta`.
        decay: ``"all"`` parameters, or the ``"weights"``.

    Raises:
        ValueError: For another ``decay``.

    Source: Loshchilov and Hutter, 2019, algorithm 2; what to leave out is usage, not in the paper.
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
