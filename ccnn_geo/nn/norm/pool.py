"""Normalisation of pooled features: of one row per sample."""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo.nn.norm.batch import BatchNorm


class PoolNorm(BatchNorm):
    r"""Batch normalisation of what is pooled over points, for a readout of means and largest features side by side.

    .. math::
        y_c = \gamma_c \frac{x_c - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}} + \beta_c

    Largest features of normalised ones are some three standard deviations high and differ little between samples: as
    they are, all logits would share what they have in common. A single sample has no statistics of its own and gets
    the running ones, in training too.

    Shapes:
        - **input:** :math:`(B, C)`
        - **output:** :math:`(B, C)`

    Example:
        >>> norm = PoolNorm(4)
        >>> norm(torch.randn(1, 4)).shape  # a single sample, in training
        torch.Size([1, 4])
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or x.size(0) > 1:
            return super().forward(x)
        scale, shift = self.running_affine()
        return x * scale + shift

    def running_affine(self) -> tuple[Tensor, Tensor]:
        """Factor and summand that it is in evaluation, ``[C]`` each."""
        assert self.running_mean is not None and self.running_var is not None, "statistics are tracked"
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias - self.running_mean * scale
