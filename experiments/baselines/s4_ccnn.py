"""A CCNN with S4 layers as convolutions."""

from __future__ import annotations

from torch import Tensor, nn

from ccnn_geo import CCNN
from ccnn_geo.experiments.baselines.s4 import S4
from ccnn_geo.functional.pointwise.linear import channel_linear

STATE_SPACE = ("log_step", "log_decay", "frequency", "p", "b")
"""Parameters of :class:`S4` that its authors train slowly; C and D train like the rest of a network."""
STATE_SPACE_LR = 1e-3


class S4Conv(nn.Module):
    r"""An S4 layer, followed by a pointwise linear layer if the number of channels changes.

    .. math::
        y = W \, \mathrm{S4}(x) + c \quad \text{or, for } C_{in} = C_{out}, \quad y = \mathrm{S4}(x)

    Args:
        in_channels: Input channels :math:`C_{in}`, each with its own system.
        out_channels: Output channels :math:`C_{out}`.
        state: State size of each system, even.

    Shapes:
        - **input:** :math:`(B, C_{in}, L)`
        - **output:** :math:`(B, C_{out}, L)`

    Raises:
        ValueError: If the input is not of this shape, or a spacing is given: S4 trains its step.
    """

    def __init__(self, in_channels: int, out_channels: int, state: int = 64) -> None:
        super().__init__()
        self.s4 = S4(in_channels, state)
        self.pointwise = None
        if in_channels != out_channels:
            self.pointwise = nn.Linear(in_channels, out_channels)
            nn.init.normal_(self.pointwise.weight, std=in_channels**-0.5)
            nn.init.zeros_(self.pointwise.bias)

    def forward(self, x: Tensor, spacing: float | None = None) -> Tensor:
        if spacing is not None:
            raise ValueError(f"S4Conv: expected no spacing, S4 trains its own step, got {spacing}")
        y = self.s4(x)
        return y if self.pointwise is None else channel_linear(y, self.pointwise)


def with_s4(network: CCNN, state: int = 64) -> CCNN:
    """Puts an S4 layer in place of every convolution of a causal CCNN on sequences; all else stays as it is.

    Blocks are then those of S4 (Fig. 7, middle), with batch normalisation and the CCNN's last nonlinearity. The
    convolutions' own pointwise layers are dropped, except for the stem's, which widens the input.

    Args:
        network: Network with ``ccnn`` or ``s4`` blocks; it is changed.
        state: State size of each system.

    Returns:
        The same network.

    Raises:
        ValueError: If the network is not one-dimensional, not causal, or has other blocks.
    """
    if (
        network.dim != 1
        or not network.stem.kernel.causal
        or not all(hasattr(b, "conv") for b in network.blocks)
    ):
        raise ValueError(
            "with_s4: expected a causal CCNN of dimension 1 with ccnn or s4 blocks, "
            f"got dimension {network.dim}, causal={network.stem.kernel.causal}, "
            f"{', '.join(sorted({type(block).__name__ for block in network.blocks}))}"
        )
    for part, name in ((network, "stem"), *((block, "conv") for block in network.blocks)):
        conv = getattr(part, name)
        setattr(part, name, S4Conv(conv.in_channels, conv.out_channels, state))
    return network


def parameter_groups(network: nn.Module, lr: float, weight_decay: float) -> list[dict]:
    """Parameter groups for an optimiser as S4's authors train it: its systems slowly and without weight decay.

    Args:
        network: Network with any number of :class:`S4` layers.
        lr: Learning rate of all other parameters; the systems use 0.001, or this one if it is lower.
        weight_decay: Weight decay of all other parameters.

    Source: the reference implementation, which registers A, B and the step with their own rate, 0.001 by
    convention, and without weight decay, C and D with the rest.
    """
    layers = [module for module in network.modules() if isinstance(module, S4)]
    systems = [getattr(layer, name) for layer in layers for name in STATE_SPACE]
    slow = set(map(id, systems))
    rest = [p for p in network.parameters() if id(p) not in slow]
    return [
        {"params": rest, "lr": lr, "weight_decay": weight_decay},
        {"params": systems, "lr": min(lr, STATE_SPACE_LR), "weight_decay": 0.0},
    ]
