"""A few steps of a training on one batch."""

import torch

from ccnn_geo import CCNN


def losses_of_few_steps(x: torch.Tensor, y: torch.Tensor, out_channels: int) -> list[float]:
    """Cross-entropy before each of five steps of a small network, causal on sequences."""
    torch.manual_seed(0)
    dim = x.dim() - 2
    net = CCNN.from_preset(
        "ccnn_4_16", dim=dim, in_channels=x.size(1), out_channels=out_channels, causal=dim == 1, omega_0=50.0
    )
    optimizer = torch.optim.AdamW(net.parameters(), 0.01)
    losses = []
    for _ in range(5):
        loss = torch.nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
