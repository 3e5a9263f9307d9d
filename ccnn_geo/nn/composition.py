"""A linear fit to the summed features of a sample's points, which describe its composition."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ccnn_geo._base.pyg import scatter


class Composition(nn.Module):
    r"""Starts from a linear fit to the summed input features, so that a network learns the rest.

    .. math::
        y = b + A \sum_i x_i + s \, \hat y

    For molecules with one-hot atom types as features, :math:`A` is an energy per atom of each type, which alone
    explains most of a molecule's energy. The network's output :math:`\hat y` adds the effect of their arrangement.
    :meth:`fit` measures :math:`A`, :math:`b` and the standard deviation :math:`s` of the rest once; they are stored
    with the weights.

    Args:
        in_channels: Features :math:`C` per point.
        out_channels: Outputs :math:`T`.

    Shapes:
        - **outputs:** :math:`(B, T)`; **x:** :math:`(N, C)` with **batch** :math:`(N)`, or a grid :math:`(B, C, *S)`
        - **output:** :math:`(B, T)`

    Example:
        >>> fit = Composition(2, 1)
        >>> fit.fit(torch.tensor([[1.0, 4.0], [2.0, 6.0], [3.0, 8.0]]), torch.tensor([[9.0], [14.0], [19.5]]))
        >>> fit(torch.zeros(1, 1), torch.tensor([[1.0, 2.0], [0.0, 2.0]])).shape  # 2 points
        torch.Size([1, 1])
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor
    is_known: Tensor

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(out_channels, in_channels))
        self.register_buffer("bias", torch.zeros(out_channels))
        self.register_buffer("scale", torch.ones(out_channels))
        self.register_buffer("is_known", torch.zeros((), dtype=torch.bool))

    def reset_parameters(self) -> None:
        """Forgets the fit."""
        self.weight.zero_()
        self.bias.zero_()
        self.scale.fill_(1.0)
        self.is_known.fill_(False)

    @torch.no_grad()
    def fit(self, sums: Tensor, values: Tensor) -> None:
        """Fits by least squares; if the sums do not determine the weights, takes the smallest ones.

        Args:
            sums: Summed features of each sample.
            values: Target outputs; NaN if unknown.

        Shapes:
            - **sums:** :math:`(n, C)`; **values:** :math:`(n, T)`
        """
        sums, values = sums.double().cpu(), values.double().cpu()
        for target, column in enumerate(values.T):
            known = ~column.isnan()
            rows, wanted = sums[known], column[known, None]
            centre, middle = rows.mean(dim=0), wanted.mean()
            found = torch.linalg.lstsq(rows - centre, wanted - middle, driver="gelsd").solution[:, 0]
            left = wanted[:, 0] - middle - (rows - centre) @ found
            spread = float(left.std(correction=0))
            self.weight[target] = found
            self.bias[target] = middle - centre @ found
            self.scale[target] = spread if spread > 1e-6 * float(wanted.std(correction=0)) else 1.0
        self.is_known.fill_(True)

    def forward(self, outputs: Tensor, x: Tensor, batch: Tensor | None = None) -> Tensor:
        """Adds the fit to the outputs of a network on these inputs.

        Args:
            outputs: Outputs of the network, or of each of several members, ``[M, B, T]``.
            x: Input features of the network.
            batch: Sample of each point; one sample by default.
        """
        if x.dim() > 2:
            sums = x.flatten(2).sum(dim=2)
        elif batch is None:
            sums = x.sum(dim=0, keepdim=True)
        else:
            sums = scatter(x, batch, dim=0, dim_size=outputs.size(-2), reduce="sum")
        return nn.functional.linear(sums, self.weight, self.bias) + self.scale * outputs
